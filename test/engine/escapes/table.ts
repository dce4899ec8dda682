// What a row of the table is. The table itself lies in the files beside this one, a file per kind of escape.

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
  /** Three that NET_ADMIN lets spoil their own sandbox, each in its own way. */
  flusher: { network: "guarded" },
  mangler: { network: "guarded" },
  mover: { network: "guarded" },
  /** On a network that is not guarded: what works here must go on to. */
  free: { network: "plain" },
} as const;

export type Attacker = keyof typeof attackers;

/** Containers that see what arrives at their sockets. */
export const watchers = ["neighbour", "published", "other", "plain", "default"] as const;

/**
 * Where it shows. `wire`: as a packet on the uplink. `lookups`: as a DNS question at any server of the internet.
 * `host`: as a packet at a socket of the host; the watchers: at one of theirs. `reply`: as an answer to who tried.
 */
export type Observer = "wire" | "lookups" | "host" | "reply" | (typeof watchers)[number];

/** What a line of the matrix claims. */
export interface Claim {
  readonly name: string;
  /** What must be with Dockerwall in force; absent: nothing is seen, from whomever. */
  readonly guarded?: "open" | "open with NET_ADMIN";
  /** Why it gets out nowhere, not even without Dockerwall. Anything else must be open before, on every engine. */
  readonly closedAnyway?: string;
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
