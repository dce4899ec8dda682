// A guarded network, and a container that has entries of its own.

import type { EntryList } from "../policy/entry-list.ts";
import type { IpAddress, Prefix } from "./address.ts";
import type { Upstream } from "./upstream.ts";

/** A network whose containers may reach only what the entries grant. */
export interface GuardedNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly Prefix[];
  readonly gateways: readonly IpAddress[];
  /** Its label first, then what a policy file and commands add. */
  readonly lists: readonly EntryList[];
  /** True: everything passes and is recorded as it would have been judged. */
  readonly audit: boolean;
  readonly dns: NetworkDns;
}

/** How a network's names are looked up. */
export interface NetworkDns {
  /** Undefined: those of the daemon. Empty: none, and every lookup fails. */
  readonly upstreams: readonly Upstream[] | undefined;
  /** Codes of types that are served beyond the default ones. */
  readonly types: readonly number[];
}

/** What a container's own label, a policy file and commands add to the lists of its networks, for it only. */
export interface ServicePolicy {
  readonly containerId: string;
  readonly name: string;
  /** Its addresses on guarded networks. */
  readonly addresses: readonly IpAddress[];
  readonly lists: readonly EntryList[];
}
