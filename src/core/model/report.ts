// What the daemon reports over the control socket: plain data, which the CLI prints as text or JSON. Here are the
// reports that core makes, or has parts of; the others stand beside what makes them (src/control/api).

import type { ErrorCode } from "../../errors.ts";
import type { CounterReading } from "../counters/reading.ts";
import type { Explained } from "../path/explained.ts";
import type { ReadAnswer } from "../path/reading.ts";
import type { PathEnd } from "../path/verdict.ts";
import type { IpAddress } from "./address.ts";
import type { DaemonState } from "./state.ts";

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

/** What was made by command for one target. */
export interface OverridesReport {
  readonly kind: "network" | "container";
  readonly name: string;
  readonly overrides: readonly {
    /** Entries of `deny` begin with `!`. */
    readonly entry: string;
    /** Milliseconds since the epoch; undefined until the host is restarted. */
    readonly endsAtMs: number | undefined;
  }[];
}

/** What `allow` and `deny` have done. */
export interface ChangedOverrides extends OverridesReport {
  /** Overrides for the target that do nothing, and what to do; one sentence each. */
  readonly warnings: readonly string[];
}

export interface ExplainReport extends Explained {
  readonly container: string;
  readonly target: string;
  /** The step that decides, in words. */
  readonly because: string;
  /** The change that would let it pass, in words. */
  readonly advice: string | undefined;
  /** Problems of its networks' labels: what cannot be read there allows nothing, and may be what is missing. */
  readonly problems: readonly string[];
  readonly quarantined: boolean;
  /** Guarded networks that the container is on. */
  readonly networks: readonly string[];
  /** Where the container's own /etc/hosts has the name, which then is not looked up. */
  readonly hosts: readonly IpAddress[];
  /** What is looked up in place of the name, by the search list of the container's own /etc/resolv.conf. */
  readonly searched?: string;
  /** Servers of that file, up to the one that answers, at which Dockerwall answers nothing; and why. */
  readonly resolvers?: readonly { readonly server: IpAddress; readonly because: string }[];
  /**
   * There where no lookup of the name is in force: it passes once the container looks it up, and until then it does not.
   * `lastMs` is when it last did and was answered, milliseconds since the epoch.
   */
  readonly lookupDue?: { readonly lastMs?: number };
  /** Of an address that the container did not look up itself. */
  readonly lookedUpBy?: LookedUpBy;
  /** What lookups of the name would be answered; none for an address. */
  readonly answers: readonly ReadAnswer[];
  /** What the kernel holds for the container, these addresses and the port that was asked for. */
  readonly entries: readonly {
    /** `grant` passes by itself; `pair` is a right to many ports, of which each is entered when it is first used. */
    readonly set: "grant" | "pair";
    readonly destination: string;
    readonly service: string;
    readonly comment: string;
    readonly secondsLeft: number;
    readonly packets: number;
  }[];
  /** Tracked connections of the container to these addresses. */
  readonly flows: readonly {
    readonly service: string;
    readonly sourcePort: number;
    readonly destination: string;
    /** True if it was admitted; the others were denied, or are replies. */
    readonly admitted: boolean;
  }[];
}

export interface SuggestReport {
  readonly network: string;
  /** The network's name in Compose, if Compose created it. */
  readonly composeKey: string | undefined;
  readonly mode: "enforce" | "audit";
  /** Since when what is done on the network is remembered, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** The label as it is. */
  readonly present: string;
  /** Entries to add to it: what every container on the network needs. */
  readonly added: readonly string[];
  /** What some of them need beside that, for labels of their own; those who have a label are among them in any case. */
  readonly containers: readonly {
    readonly name: string;
    /** True for a service of Compose, however many containers it has. */
    readonly isService: boolean;
    readonly present: string;
    readonly added: readonly string[];
  }[];
  /** The label `dockerwall.types`, and what to add to it. */
  readonly types: { readonly present: string; readonly added: readonly string[] };
  /** What to know about the entries; one sentence each. */
  readonly notes: readonly string[];
  readonly leftOut: readonly { readonly what: string; readonly why: string }[];
  /** Entries of the label that nothing has used. */
  readonly unused: readonly string[];
}

export interface ReplayReport {
  readonly network: string;
  readonly sinceMs: number;
  /** Entries that allow more than they seem to, and containers whose labels are not known; one sentence each. */
  readonly warnings: readonly string[];
  /**
   * Every lookup and connection that was seen: first those that the tried labels change, then those that are judged
   * differently by now without them.
   */
  readonly rows: readonly ReplayedRow[];
}

/** One lookup or connection: how it was judged, how it would be by what is in force, and how by the tried labels. */
export interface ReplayedRow {
  readonly kind: "lookup" | "connection";
  readonly address: string;
  readonly container: string | undefined;
  /** There is no such container any more. */
  readonly gone?: true;
  /** A name, or `ADDRESS tcp:443` with the name that led there. */
  readonly what: string;
  readonly before: boolean;
  readonly now: boolean;
  readonly after: boolean;
  /** Why it would be denied although an entry names it, with what to write. */
  readonly why?: string;
  /** Lookups, or packets. */
  readonly count: number;
}

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
}
