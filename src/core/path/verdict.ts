// The end of a packet's way: whether it arrives, the step that decides, and what would turn it.

import type { IpAddress } from "../model/address.ts";

export type PathVerdict =
  | "passes"
  /** It is a lookup, which Dockerwall answers itself. */
  | "captured"
  | "dropped"
  /** It does not pass, and its sender gets an error at once. */
  | "refused"
  /** Nothing of Dockerwall's stands in its way. */
  | "not-ours"
  /** Nothing is sent, or nobody is there. */
  | "no-route"
  | "unknown";

export type PathStep =
  // Before it leaves the sandbox.
  | "host-network"
  | "no-network"
  | "not-known"
  | "inside"
  | "no-way"
  | "quarantine"
  // By whom and by which interface it leaves.
  | "foreign-interface"
  | "set-full"
  | "unfiltered-network"
  | "tunnel"
  | "open-network"
  | "foreign-source"
  // Where it goes.
  | "neighbour"
  | "neighbours"
  | "no-neighbour"
  | "kept-apart"
  | "linked"
  | "neighbour-quarantined"
  | "link-local"
  | "lookup"
  | "host-entry"
  | "host"
  | "other-network"
  | "internal"
  | "not-forwarded"
  | "unpublished"
  // What the lists say.
  | "entry"
  | "no-entry"
  | "unreadable"
  | "taken-away"
  | "port"
  | "no-lookup"
  | "other-list"
  | "audit"
  // What the lookup of the name says.
  | "no-such-name"
  | "no-family"
  | "no-address"
  | "no-answer"
  | "other-resolver";

export interface PathEnd {
  readonly verdict: PathVerdict;
  readonly step: PathStep;
  /** Where no port was asked for, it passes, and not every port does: those that do, as `5432/tcp`. */
  readonly ports?: readonly string[];
}

/** One change that would let it pass. */
export type Change =
  /** The entry would stand in the label of the network, or of the container alone. */
  | { readonly kind: "entry"; readonly entry: string; readonly network: string }
  /** The name is one of the host: no entry for it opens anything, and the container must be given it. */
  | { readonly kind: "host-name"; readonly name: string; readonly entry: string; readonly network: string }
  /** A list cannot be read: what is written elsewhere does not help, or would not need to be written. */
  | { readonly kind: "correct"; readonly problem: string }
  | { readonly kind: "remove-entry"; readonly entry: string; readonly source: string }
  /** An override that a command has made takes it away. */
  | { readonly kind: "undo"; readonly command: string }
  /** The container's packets have to leave by this network; the entry would do instead. */
  | {
      readonly kind: "route";
      readonly network: string;
      readonly instead: string;
      readonly entry: string;
      /** Of the lists that the entry would be for, what cannot be read. */
      readonly problem?: string | undefined;
    }
  | { readonly kind: "lookup"; readonly name: string }
  | { readonly kind: "release"; readonly container: string }
  /** A set of the kernel has no place for all addresses. */
  | { readonly kind: "fewer-networks"; readonly container: string }
  /** It needs a network that is not internal. */
  | { readonly kind: "way-out"; readonly family: "IPv4" | "IPv6" }
  | { readonly kind: "common-network"; readonly network: string }
  /** The engine keeps the containers of this network apart. */
  | { readonly kind: "connect-containers"; readonly network: string }
  | { readonly kind: "ask-again" };

/** One packet's whole way. */
export interface Path extends PathEnd {
  readonly destination: IpAddress;
  readonly source: IpAddress | undefined;
  /** The network that it leaves by. */
  readonly network: string | undefined;
}
