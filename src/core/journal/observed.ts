// What a network's containers have done: lookups from the journal, connections from the kernel's counters. `suggest`
// and `replay` judge it.

import type { IpAddress } from "../model/address.ts";
import { isIcmp, portProtocols } from "../model/service.ts";
import type { DeniedEntry } from "./drops.ts";
import type { LookupTally } from "./lookups.ts";

export interface SeenLookup {
  /** An address. */
  readonly asker: string;
  readonly container: string | undefined;
  readonly domain: string;
  readonly allowed: boolean;
  readonly count: number;
}

export interface SeenConnection {
  readonly asker: IpAddress;
  readonly container: string | undefined;
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
  /** The names that led this asker to the destination; which of them a packet was for cannot be told. */
  readonly names: readonly string[];
  readonly allowed: boolean;
  readonly packets: number;
}

export interface Observation {
  readonly lookups: readonly SeenLookup[];
  readonly connections: readonly SeenConnection[];
}

export interface ObservedNames {
  readonly containerOf: (asker: IpAddress) => string | undefined;
  readonly namesOf: (asker: IpAddress, destination: IpAddress) => readonly string[];
}

/** Joins what was read. `granted` are counted entries of what passed, `denied` of what did not, or only by audit. */
export function observe(
  tallies: readonly LookupTally[],
  denied: readonly DeniedEntry[],
  granted: readonly DeniedEntry[],
  names: ObservedNames,
): Observation {
  const connection = (entry: DeniedEntry, allowed: boolean): SeenConnection => ({
    asker: entry.asker,
    container: names.containerOf(entry.asker),
    destination: entry.destination,
    ipProtocol: entry.protocol,
    port: isIcmp(entry.protocol) || !portProtocols.has(entry.protocol) ? undefined : entry.port,
    names: names.namesOf(entry.asker, entry.destination),
    allowed,
    packets: entry.packets,
  });
  return {
    lookups: tallies.map(({ asker, container, domain, allowed, trouble, count }) => ({
      asker,
      container,
      domain,
      // A name that was allowed and came to nothing was not denied by any entry.
      allowed: allowed || trouble !== undefined,
      count,
    })),
    connections: [
      ...denied.map((entry) => connection(entry, false)),
      ...granted.filter(({ packets }) => packets > 0).map((entry) => connection(entry, true)),
    ],
  };
}
