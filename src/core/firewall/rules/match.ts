// What a rule can match, as a closed list of values. Each is written in the words of its iptables extension.

import type { setNames } from "../names.ts";

export type SetName = (typeof setNames)[keyof typeof setNames];

type Side = "src" | "dst";
/** Which side of the packet each part of a set's entry is compared with. */
export type Dimensions = Side | `${Side},${Side}` | `${Side},${Side},${Side}`;

export type Protocol = "tcp" | "udp" | "icmp" | "ipv6-icmp";

/** Bits of a mark, and which bits those are among. */
export interface Mark {
  readonly value: number;
  readonly mask: number;
}

export type ConntrackState = "INVALID" | "NEW" | "RELATED" | "ESTABLISHED" | "DNAT";

/** A limit for each source. */
export interface Hashlimit {
  readonly name: string;
  readonly side: "upto" | "above";
  readonly perSecond: number;
  readonly burst: number;
  readonly buckets: number;
  /** Most sources that are remembered; what comes from any other is dropped, whatever the rule says. */
  readonly sources: number;
  readonly expireMs: number;
}

export type Match =
  | { readonly kind: "source"; readonly prefix: string }
  | { readonly kind: "destination"; readonly prefix: string }
  /** A name that ends in + stands for all that begin so. */
  | { readonly kind: "in-interface"; readonly name: string; readonly not?: true }
  | { readonly kind: "protocol"; readonly protocol: Protocol }
  /** Destination port. */
  | { readonly kind: "port"; readonly protocol: "tcp" | "udp"; readonly port: number }
  | { readonly kind: "icmpv6-type"; readonly type: number }
  | { readonly kind: "set"; readonly set: SetName; readonly by: Dimensions; readonly not?: true }
  | { readonly kind: "mark"; readonly mark: Mark; readonly not?: true }
  | { readonly kind: "connmark"; readonly mark: Mark }
  | {
      readonly kind: "conntrack";
      readonly states: readonly [ConntrackState, ...ConntrackState[]];
      readonly not?: true;
      readonly confirmed?: true;
      /** Destination port before it was translated. */
      readonly originalPort?: number;
      readonly direction?: "REPLY";
    }
  /** The destination is an address of the host. */
  | { readonly kind: "local-destination"; readonly not?: true }
  | ({ readonly kind: "hashlimit" } & Hashlimit)
  /** More flows than these from one prefix of this length. */
  | { readonly kind: "connlimit"; readonly above: number; readonly prefixLength: number }
  | { readonly kind: "owner"; readonly uid: number }
  | { readonly kind: "hop-limit"; readonly equals: number }
  /** Path below the root of cgroup v2. */
  | { readonly kind: "cgroup"; readonly path: string };

export function inSet(set: SetName, by: Dimensions): Match {
  return { kind: "set", set, by };
}

export function notInSet(set: SetName, by: Dimensions): Match {
  return { kind: "set", set, by, not: true };
}

export function toPort(protocol: "tcp" | "udp", port: number): Match {
  return { kind: "port", protocol, port };
}

export function fromInterface(name: string): Match {
  return { kind: "in-interface", name };
}

export function inState(...states: readonly [ConntrackState, ...ConntrackState[]]): Match {
  return { kind: "conntrack", states };
}

/** The mark has this bit, of ours. */
export function hasMark(bit: number): Match {
  return { kind: "mark", mark: { value: bit, mask: bit } };
}

/** What answers a packet that went the other way. */
export const isAnswer: Match = { kind: "conntrack", states: ["ESTABLISHED"], direction: "REPLY" };
