// What `stats` reports: what was looked up on each guarded network, and what was dropped there.

import type { PathEnd } from "../../path/verdict.ts";

/**
 * Why an allowed name opened nothing: private addresses only, no resolver answered, a type that is not served, or all
 * networks of the asker are internal. Or the message was no query.
 */
export type LookupTrouble = "private" | "failed" | "type" | "internal" | "no-query";

export interface LookupRow {
  readonly address: string;
  /** The container that had the address then; undefined if it was never known. */
  readonly container: string | undefined;
  /** There is no such container any more. */
  readonly gone?: true;
  readonly domain: string;
  /** The record type, where it is one that is not served for every allowed name: `TXT`, `TYPE65280`. */
  readonly type?: string;
  /** False for a denied name, and for an allowed one with a trouble. */
  readonly allowed: boolean;
  readonly trouble?: LookupTrouble | undefined;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastSeenMs: number;
}

/** Who else looked an address up. */
export interface LookedUpBy {
  /** A neighbour on the same network. */
  readonly container: string;
  readonly name: string;
}

/** What a packet like a blocked one would meet now. */
export interface DropEnd extends PathEnd {
  /** What would let it pass, in words, where that is another way or another lookup. */
  readonly advice?: string;
  /**
   * When the container was last answered for the name, milliseconds since the epoch; only of a lookup that had run out
   * when the packet was dropped.
   */
  readonly lookedUpMs?: number;
  /** Of an address that the container did not look up itself. */
  readonly lookedUpBy?: LookedUpBy;
}

export interface DropRow {
  readonly address: string;
  /** The container that had the address then; undefined if it was never known. */
  readonly container: string | undefined;
  /** There is no such container any more. */
  readonly gone?: true;
  readonly destination: string;
  /** `tcp:443`, `udp:53`, `icmp:echo-request`, `gre:0`, … as `ipset list` prints it. */
  readonly service: string;
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds since the epoch, to within a few seconds: the kernel's counters are read that often. */
  readonly lastSeenMs: number;
  /** Where such a packet would end now, as if nothing were audited; undefined for a container that is gone. */
  readonly now?: DropEnd;
  /** The name that this address was last answered for, to this container; undefined for a hard-coded address. */
  readonly domain: string | undefined;
}

export interface NetworkStats {
  readonly network: string;
  /** In `audit` the denied traffic passed all the same. */
  readonly mode: "enforce" | "audit";
  readonly subnets: readonly string[];
  readonly lookups: readonly LookupRow[];
  readonly drops: readonly DropRow[];
}

export interface StatsReport {
  readonly generatedAtMs: number;
  readonly networks: readonly NetworkStats[];
}
