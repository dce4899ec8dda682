// One decision about one lookup, as the data plane reports it.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report/stats.ts";

/** One decision about one lookup, or about some that were alike, aggregated by the journal. */
export interface LookupEvent {
  readonly networkId: string;
  readonly asker: IpAddress;
  readonly domain: string;
  /** `TXT`, `TYPE65280`; undefined for the types that every allowed name is served. */
  readonly type?: string | undefined;
  readonly allowed: boolean;
  readonly trouble?: LookupTrouble | undefined;
  /** The last time, by the clock that only goes forward, milliseconds. */
  readonly atMs: number;
  /** How often since it was last told; undefined for once. */
  readonly times?: number | undefined;
  /** Addresses that were granted with this lookup, or that audit mode has told. */
  readonly granted: readonly IpAddress[];
  /** All addresses of an answer that had only such as an allowlist must name itself; none of any other answer. */
  readonly refused?: readonly IpAddress[] | undefined;
  /** True when there is no such name by the upstream's word, or when it was not asked as the network lacks the family. */
  readonly noName?: boolean | undefined;
}

/** What is the same of a lookup and of those that were answered like it. */
export type LookupKind = Omit<LookupEvent, "atMs" | "times">;
