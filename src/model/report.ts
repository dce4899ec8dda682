// What the daemon tells about itself over the control socket: plain data, printed by the CLI as text or JSON.

import type { ErrorCode } from "../errors.ts";

/** Why an allowed name opened nothing: it has private addresses only, or nobody answered. */
export type LookupTrouble = "private" | "failed";

export interface LookupRow {
  readonly address: string;
  /** Undefined when no container is known (any more) at that address. */
  readonly container: string | undefined;
  readonly domain: string;
  /** False for a denied name, and for an allowed one with a trouble. */
  readonly allowed: boolean;
  readonly trouble?: LookupTrouble | undefined;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastSeenMs: number;
}

export interface DropRow {
  readonly address: string;
  readonly container: string | undefined;
  readonly destination: string;
  /** `tcp:443`, `udp:53`, `icmp:echo-request`, `gre:0`, … as `ipset list` prints it. */
  readonly service: string;
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds since the epoch, to within a few seconds: the kernel's counters are read that often. */
  readonly lastSeenMs: number;
  /** The name that this address was last answered for, to this container; undefined for a hard-coded address. */
  readonly domain: string | undefined;
}

export interface NetworkStats {
  readonly network: string;
  readonly subnets: readonly string[];
  readonly lookups: readonly LookupRow[];
  readonly drops: readonly DropRow[];
}

export interface StatsReport {
  readonly generatedAtMs: number;
  readonly networks: readonly NetworkStats[];
}

export interface NetworkStatus {
  readonly name: string;
  readonly id: string;
  readonly bridge: string | undefined;
  readonly subnets: readonly string[];
  /** `enforced`, or `refused` when it carries the label but cannot be guarded (driver). */
  readonly state: "enforced" | "refused";
  readonly entries: number;
  readonly sinceMs: number;
  /** Bad entries, containers that are not contained, … each one sentence. */
  readonly problems: readonly string[];
}

/** How busy the resolver is now, and what it has left out since it was started. */
export interface ResolverReport {
  /** Questions that an upstream is asked, and those that wait for their turn. */
  readonly running: number;
  readonly waiting: number;
  /** Messages from upstream that answered nothing: late, repeated, or forged. */
  readonly ignoredMessages: number;
  /** Private addresses in answers to allowed names. */
  readonly refusedAddresses: number;
  /** Addresses beyond what one answer opens. */
  readonly excessAddresses: number;
  /** Answers withheld because the asker or its network holds too much, or a set of the kernel is full. */
  readonly refusedGrants: number;
  /** Lookups refused because their asker has too many under way. */
  readonly refusedTurns: number;
}

export interface StatusReport {
  readonly state: "starting" | "enforcing" | "degraded" | "uninstalled";
  readonly version: string;
  readonly sinceMs: number;
  readonly engine: { readonly version: string; readonly apiVersion: string } | undefined;
  readonly backend: "nft" | "legacy";
  /** How often the rules of a family had been changed by somebody and were put right. */
  readonly rulesHealed: number;
  readonly capture: {
    /** Sandboxes whose own resolver we stand in for. */
    readonly sandboxes: number;
    /** Why layer 2 does not work; undefined when it does. */
    readonly problem: string | undefined;
  };
  /** Undefined until the resolver has told. */
  readonly resolver: ResolverReport | undefined;
  readonly networks: readonly NetworkStatus[];
  /** What must be corrected; one sentence each. */
  readonly problems: readonly string[];
  /** What the wall cannot hold: containers with other ways out. One sentence each. */
  readonly warnings: readonly string[];
}

/** One thing that `doctor` looked at. */
export interface Check {
  /** `engine`, `rules`, `upstream`, `capture of NAME`, … */
  readonly subject: string;
  readonly ok: boolean;
  /** One sentence: what was seen, and what to do where that is not well. */
  readonly finding: string;
}

export interface DoctorReport {
  readonly checks: readonly Check[];
}

/** What `prepare-network` created. */
export interface PreparedNetwork {
  readonly id: string;
  readonly name: string;
  readonly bridge: string;
  readonly subnets: readonly string[];
}

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
}
