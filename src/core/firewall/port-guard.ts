// What may come in through a port, as data. A port is the host's end of a container's interface: unlike an address, the
// container cannot choose it.

import type { IpAddress, Prefix } from "../model/address.ts";

export interface PortGuard {
  /** The addresses that its container may send from. */
  readonly senders: readonly IpAddress[];
  /**
   * The subnets of its network. It may ask for these by ARP: the other addresses of the host are not told. Empty:
   * everything.
   */
  readonly neighbourhood: readonly Prefix[];
  /** The subnets of all networks of its container: what is sent there has no business with the host. */
  readonly neighbourhoods: readonly Prefix[];
  /** The MAC of its bridge, `aa:bb:cc:dd:ee:ff`; undefined where it is not known. */
  readonly bridgeMac: string | undefined;
  /** The link-local addresses that its container may send from. */
  readonly linkLocal: readonly IpAddress[];
  /**
   * What these may send: what is `judged` by the rules of the host as everything else, or `discovery` of neighbours and
   * of groups only. No set knows the link-local addresses of a network that is not guarded.
   */
  readonly linkLocalMay: "judged" | "discovery";
}
