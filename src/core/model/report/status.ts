// What `status` reports: how the daemon is, what is in force, and what needs correcting.

import type { CounterReading } from "../../counters/reading.ts";
import type { DaemonState } from "../state.ts";
import type { OverridesReport } from "./overrides.ts";

/** A list of entries that is in force. */
export interface ListReport {
  /** `label dockerwall.allow`, `policy file`. */
  readonly place: string;
  /** At most 100. */
  readonly entries: readonly string[];
  /** How many there are. */
  readonly count: number;
  /** True: a bad one stands there now, and this one, from before, is kept. */
  readonly kept?: boolean;
  /** True: it is unreadable and may take something away, so nothing is allowed, whatever other lists say. */
  readonly closes?: boolean;
}

/** A container with entries of its own. */
export interface ContainerStatus {
  readonly name: string;
  readonly lists: readonly ListReport[];
}

export interface NetworkStatus {
  readonly name: string;
  readonly id: string;
  readonly bridge: string | undefined;
  readonly subnets: readonly string[];
  /**
   * `refused` if the network carries the label but cannot be guarded (driver, foreign ports), `not-enforced` while the
   * kernel does not accept its rules or entries.
   */
  readonly state: "enforced" | "not-enforced" | "refused";
  readonly entries: number;
  /** Its label, and what the policy file adds; overrides are reported by themselves. */
  readonly lists: readonly ListReport[];
  /** In `audit` everything passes, and is recorded. */
  readonly mode: "enforce" | "audit";
  /** What its other labels say, one phrase each; none for what goes without saying. */
  readonly labels: readonly string[];
  /** Since when it is in this state. */
  readonly sinceMs: number;
  /** Bad entries, containers that are not contained, … each one sentence. */
  readonly problems: readonly string[];
}

/** The resolver's present load. */
export interface ResolverReport {
  /** Questions now at an upstream, and those waiting for their turn. */
  readonly running: number;
  readonly waiting: number;
}

export interface StatusReport {
  readonly state: DaemonState;
  /** True if the daemon can do its work, whatever labels, files and single containers do: the image's HEALTHCHECK asks for it. */
  readonly healthy: boolean;
  readonly version: string;
  /** Since when the daemon is in this state. */
  readonly sinceMs: number;
  /** When the daemon was started. */
  readonly startedMs: number;
  readonly engine: { readonly version: string; readonly apiVersion: string } | undefined;
  readonly backend: "nft" | "legacy";
  readonly capture: {
    /** Sandboxes whose own resolver we stand in for. */
    readonly sandboxes: number;
    /** Why layer 2 does not work, or not in every sandbox; undefined when it does. */
    readonly problem: string | undefined;
  };
  /** Undefined until the resolver's first report. */
  readonly resolver: ResolverReport | undefined;
  /** All counters since the daemon's start, including those at zero. */
  readonly counters: readonly CounterReading[];
  readonly networks: readonly NetworkStatus[];
  /** Containers with entries of their own, by name. */
  readonly containers: readonly ContainerStatus[];
  /** Bridges that pass nothing, as their owner is not known yet. */
  readonly held: readonly { readonly bridge: string; readonly sinceMs: number }[];
  /** The overrides that `allow` and `deny` have made. */
  readonly overrides: readonly OverridesReport[];
  /** Containers that are cut off, by name. */
  readonly quarantined: readonly string[];
  /** What needs correcting; one sentence each. */
  readonly problems: readonly string[];
  /** What the wall cannot contain: containers with other ways out. One sentence each. */
  readonly warnings: readonly string[];
}
