// What the lists say that stay as they are, as finding needs asks it.

import type { IpAddress } from "../model/address.ts";
import type { Service } from "../model/service.ts";
import type { SeenConnection } from "./observed.ts";

/** Of entries that are not there yet. */
export interface AddedServices {
  /** None without an entry for the name. */
  readonly name?: readonly Service[] | undefined;
  /** None without an entry for the address. */
  readonly address?: readonly Service[] | undefined;
}

/** Labels and the policy file, but no overrides. */
export interface NeedsContext {
  /** What a name may be reached for already; none for one that is denied. */
  readonly servicesOf: (name: string) => readonly Service[];
  /** Whether records of this type are served for an allowed name already. */
  readonly servesType: (name: string, type: string) => boolean;
  readonly allows: (connection: SeenConnection) => boolean;
  /** The `!` entry that takes this away, as it is written. */
  readonly takenBy: (target: { readonly name?: string; readonly address?: IpAddress }) => string | undefined;
  /** True for an address of the Docker host. */
  readonly isHost: (address: IpAddress) => boolean;
  /** True if no name may lead to the address unless an entry names it (for one of the host: a port of the host). */
  readonly isInside: (address: IpAddress) => boolean;
  /** Whether the name may lead to the address, by the entries that there are, and those that are added. */
  readonly leadsTo: (name: string, address: IpAddress, added?: AddedServices) => boolean;
  /** Why the connection would not pass whatever entries there were; undefined when one is enough. */
  readonly whyNever: (connection: SeenConnection) => string | undefined;
  /** Why an address is never suggested; undefined when it may be. */
  readonly unfit: (address: IpAddress) => string | undefined;
}
