// What would happen to a lookup or a packet, and why.

import type { IpAddress } from "./address.ts";

/** What a lookup of a name would be answered. */
export interface ExplainedAnswer {
  readonly type: "A" | "AAAA";
  readonly rcode: "NOERROR" | "NXDOMAIN" | "SERVFAIL";
  readonly addresses: readonly IpAddress[];
  readonly ttlSeconds: number | undefined;
}

/** What would be done, and why. */
export interface Explanation {
  readonly allowed: boolean;
  /**
   * `port`: the name is allowed, that port is not. `no-lookup`: its name is allowed, but was not looked up. `no-address`:
   * no address of an allowed name may be reached. `host`: an entry for the host itself decides. `neighbour`: same network.
   */
  readonly reason:
    | "entry"
    | "no-entry"
    | "taken-away"
    | "port"
    | "no-lookup"
    | "no-address"
    | "host"
    | "neighbour"
    | "not-guarded"
    | "unknown";
  /** True when it passes all the same. */
  readonly audit: boolean;
  /** Guarded networks that the container is on. */
  readonly networks: readonly string[];
  /** The entry that decides, and where it stands. */
  readonly by:
    | { readonly entry: string; readonly source: string; readonly endsAtMs: number | undefined }
    | undefined;
  /** The names that led the container to the address. */
  readonly names: readonly string[];
  readonly answers: readonly ExplainedAnswer[];
  /** What is left of the lease, for an address. */
  readonly secondsLeft: number | undefined;
}
