// What `dockerwall check` says, as data.

import type { Finding, Place } from "../compose/tree.ts";

export interface CheckReport {
  /** True: a daemon would enforce all of it. */
  readonly ok: boolean;
  /** Files of which nothing was judged, because they cannot be read; problems say why. */
  readonly unread: readonly string[];
  readonly networks: readonly NetworkCheck[];
  readonly services: readonly ServiceCheck[];
  /** What a daemon would call a problem, what Compose would refuse, and what could not be followed. */
  readonly problems: readonly Finding[];
  /** What allows more than it seems, what the wall cannot hold, and entries that are not needed. */
  readonly warnings: readonly Finding[];
}

/** `unknown`: it is made elsewhere, and its labels are not known. `refused`: labelled, and cannot be guarded. */
export type NetworkState = "guarded" | "open" | "unknown" | "refused";

export interface NetworkCheck {
  /** As the Compose file calls it. */
  readonly name: string;
  readonly place: Place;
  readonly state: NetworkState;
  /** Undefined where it is not guarded. */
  readonly mode: "enforce" | "audit" | undefined;
  /** What its other labels say, one phrase each; none for what goes without saying, and where it is not guarded. */
  readonly labels: readonly string[];
  /** Services on it. */
  readonly services: readonly string[];
  readonly entries: readonly EntryCheck[];
}

export interface ServiceCheck {
  readonly name: string;
  readonly place: Place;
  /** Whose network it is on: its own ones, or those of another service. */
  readonly networks: readonly { readonly name: string; readonly state: NetworkState }[];
  /** `host`, `none`, `service:NAME` and so on; undefined for its networks. */
  readonly networkMode: string | undefined;
  readonly profiles: readonly string[];
  /** Its own, beside those of its networks. */
  readonly entries: readonly EntryCheck[];
}

export interface EntryCheck {
  /** As it is written. */
  readonly entry: string;
  readonly place: Place;
  /** True for `!`. */
  readonly takesAway: boolean;
  /** Several for a preset. */
  readonly opens: readonly Opened[];
}

export interface Opened {
  readonly what: "name" | "subtree" | "pattern" | "addresses" | "host";
  /** The name, pattern or prefix. */
  readonly target: string;
  /** The range that the name may lead into; undefined for every address that is not private. */
  readonly within?: string;
  readonly protocols: readonly ("tcp" | "udp")[] | "any";
  readonly ports: { readonly from: number; readonly to: number } | "any";
}
