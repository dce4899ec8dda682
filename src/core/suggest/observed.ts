// What a network's containers have done: lookups from the journal, connections from the kernel's counters. `suggest`
// and `replay` judge it.

import type { DeniedEntry, DeniedRecord } from "../journal/denied-record.ts";
import type { Holder } from "../journal/holders.ts";
import { othersLabel } from "../journal/lookup-rows.ts";
import type { LookupTally } from "../journal/lookups.ts";
import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report/stats.ts";
import { portProtocols } from "../model/service.ts";
import { shortId } from "../model/topology.ts";

/** Who did it. */
export interface Doer {
  /** The first digits of its id. */
  readonly id: string;
  readonly name: string;
}

export interface SeenLookup {
  /** An address. */
  readonly asker: string;
  readonly container: Doer | undefined;
  readonly domain: string;
  /** A type that is not served for every allowed name. */
  readonly type: string | undefined;
  /** Whether the name was allowed, whatever came of it. */
  readonly allowed: boolean;
  readonly trouble: LookupTrouble | undefined;
  readonly count: number;
  /** Those of its answers that are known; told or not. */
  readonly addresses: readonly IpAddress[];
  /** The addresses of its answers, where they were only such as an allowlist must name itself. */
  readonly refused: readonly IpAddress[];
  /** False if there is no such name. */
  readonly mayExist: boolean;
}

export interface SeenConnection {
  readonly asker: IpAddress;
  readonly container: Doer | undefined;
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

/** What passed by a grant, who did it, and the names that led there. */
export interface Passed extends DeniedEntry {
  readonly holder: Holder;
  readonly names: readonly string[];
}

/** What to do about a message that is no query: it has no name that an entry could allow. */
export const noQueryAdvice = "an update or a notice is no query; write an entry for its server with port 53";

/** Joins what was read; `denied` is what did not pass, or only by audit. The order is that of what it says. */
export function observe(
  tallies: readonly LookupTally[],
  denied: readonly DeniedRecord[],
  passed: readonly Passed[],
): Observation {
  const lookups = tallies
    .filter(({ domain, asker }) => domain !== othersLabel && asker !== othersLabel)
    .map(
      ({
        asker,
        container,
        domain,
        type,
        allowed,
        trouble,
        count,
        granted,
        refused,
        mayExist,
      }): SeenLookup => ({
        asker,
        container: container && { id: shortId(container.id), name: container.name },
        ...{ domain, type, trouble, count, refused, mayExist },
        addresses: [...new Set([...granted, ...refused])],
        // A name that was allowed and came to nothing was not denied by any entry; what is no query has asked none.
        allowed: allowed || (trouble !== undefined && trouble !== "no-query"),
      }),
    );
  const connections = [
    ...denied.map(connectionOf),
    ...passed
      .filter(({ packets }) => packets > 0)
      .map(({ holder, names, ...entry }) =>
        connection(entry, true, names, { id: shortId(holder.containerId), name: holder.name }),
      ),
  ];
  return {
    lookups: sorted(lookups, ({ domain, type, asker }) => `${domain} ${type} ${asker}`),
    connections: sorted(connections, ({ names, destination, ipProtocol, port, asker }) =>
      [...names, destination, ipProtocol, String(port).padStart(5), asker].join(" "),
    ),
  };
}

/** What did not pass, or only by audit. */
export function connectionOf({ owner, domains, ...entry }: DeniedRecord): SeenConnection {
  return connection(entry, false, domains, owner && { id: owner.containerId, name: owner.name });
}

function connection(
  entry: DeniedEntry,
  allowed: boolean,
  names: readonly string[],
  container: Doer | undefined,
): SeenConnection {
  const { asker, destination, protocol, port, packets } = entry;
  return {
    asker,
    container,
    destination,
    ipProtocol: protocol,
    port: portProtocols.has(protocol) ? port : undefined,
    names: names.toSorted(),
    allowed,
    packets,
  };
}

function sorted<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Row[] {
  const keys = new Map(rows.map((row) => [row, keyOf(row)]));
  const key = (row: Row): string => keys.get(row) ?? "";
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}
