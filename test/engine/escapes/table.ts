// What a row of the table is. The table itself lies in the files beside this one, a file per kind of escape.

import type { EngineKind } from "../../support/lab/host.ts";

/** Containers that try; each but the first is there for what only it can show. */
export const attackers = {
  /** On a guarded network with IPv4 and IPv6. */
  probe: { network: "guarded" },
  /** On a guarded network that has no IPv6. */
  four: { network: "four" },
  /** On a guarded network with addresses of a unique local prefix. */
  ula: { network: "ula" },
  /** On a guarded network without IPv4, where the engine can make one. */
  six: { network: "six" },
  /** On a guarded network, and on one that is not. */
  two: { network: "guarded" },
  /** The same two, without NET_RAW. */
  unraw: { network: "guarded" },
  unrawtwo: { network: "guarded" },
  /** Three that NET_ADMIN lets spoil their own sandbox, each in its own way. */
  flusher: { network: "guarded" },
  mangler: { network: "guarded" },
  mover: { network: "guarded" },
  /** Takes more addresses than it was given. */
  floater: { network: "guarded" },
  /** In quarantine as soon as Dockerwall is in force. */
  jailed: { network: "guarded" },
  /** The same, on a network that is not guarded too. */
  jailedtwo: { network: "guarded" },
  /** Publishes a port that is in use. */
  published: { network: "guarded" },
  /** Started anew for each round of attempts. */
  fresh: { network: "guarded" },
  /** The same, at the address of one that is gone and had more granted. */
  heir: { network: "guarded" },
  /** On a network that is not guarded: what works here must go on to. */
  free: { network: "plain" },
  /** The same, and an address of a guarded subnet is on a bridge of its own, as an engine inside may make it. */
  inner: { network: "plain" },
} as const;

/** Default capabilities or NET_ADMIN too; a row is in the rounds that its container is in. */
export type Round = "default" | "admin";

export type Attacker = keyof typeof attackers;

/** Attackers that are nothing without NET_ADMIN. */
export const adminOnly: readonly Attacker[] = ["flusher", "mangler", "mover", "floater", "inner"];

/** Attackers of which one has NET_ADMIN and one has not; of all others there is none that has. */
export const inBoth: readonly Attacker[] = [
  ...(["probe", "four", "ula", "six", "two", "jailed", "jailedtwo", "fresh"] as const),
];

/** Attackers that are started anew for each round. */
export const startedAnew = ["fresh", "fresh-admin", "heir"] as const;

/** Containers that see what arrives at their sockets. */
export const watchers = [
  ...(["neighbour", "published", "victim", "other", "plain", "default", "jailed", "jailedtwo"] as const),
] as const;

/**
 * Where it shows. `wire`: as a packet on the uplink. `lookups`: as a DNS question at any server of the internet.
 * `host`: as a packet at a socket of the host; the watchers: at one of theirs. `reply`: as an answer to who tried.
 * `host's tables`, `victim's tables`: as an address or a neighbour that the kernel there believes in.
 */
export type Observer =
  | "wire"
  | "lookups"
  | "host"
  | "reply"
  | "host's tables"
  | "victim's tables"
  | (typeof watchers)[number];

export type Expected = "open" | "open with NET_ADMIN" | "closed";

/** What a line of the matrix claims. */
export interface Claim {
  readonly name: string;
  /** What must be with Dockerwall in force; absent: nothing is seen, from whomever. By engine where they differ. */
  readonly guarded?: Expected | Readonly<Record<EngineKind, Expected>>;
  /** Why it gets out nowhere, not even without Dockerwall. Anything else must be open before, on every engine. */
  readonly closedAnyway?: string;
  /** Some kernels let it out nowhere themselves. On these nothing is shown, and the document keeps what another one showed. */
  readonly dependsOnKernel?: true;
}

/** A claim that is tried by an attempt. */
export interface Row extends Claim {
  /**
   * Python over the words of attack.py, and the facts of the stage. From the host or the internet: Bash, and the facts
   * are its variables.
   */
  readonly attempt: string;
  readonly seen: readonly Observer[];
  /** `probe` where absent. */
  readonly from?: Attacker | "host" | "internet";
  /** How many packets make it open; one where absent. Closed is none at all. */
  readonly least?: number;
}

export interface Section<Kind extends Claim = Row> {
  readonly title: string;
  readonly rows: readonly Kind[];
}
