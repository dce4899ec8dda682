// What passes between the control plane (main thread) and the data plane (worker thread): plain data only.

import type { ErrorCode } from "../../errors.ts";
import type { EntryList } from "../policy/entry-list.ts";
import type { Target } from "../policy/target.ts";
import type { IpAddress, Prefix } from "./address.ts";
import type { CounterReading } from "./counter.ts";
import type { LookupTrouble, ResolverReport } from "./report.ts";
import type { Topology } from "./topology.ts";

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

/** Settings of the data plane, fixed for its life. */
export interface DataPlaneSettings {
  /** Port of the listener on the host that layer 1 redirects to. */
  readonly dnsPort: number;
  readonly upstreams: readonly Upstream[];
  /** Least life of a grant, seconds. */
  readonly leaseFloorSeconds: number;
  /** What a grant lives longer than the TTL that the client was told, seconds. */
  readonly leaseGraceSeconds: number;
  /** The engine's folder of sandboxes as we can reach it; undefined turns layer 2 off. */
  readonly sandboxFolder: string | undefined;
  /** Whether the ports of guarded sandboxes are guarded; false where the kernel cannot. */
  readonly guardPorts: boolean;
  readonly queueNumber: number;
  /** A queue in which questions of the engine wait already; undefined where none do. */
  readonly engineQueueFd?: number | undefined;
}

/** A resolver to ask: with `tls` over TLS or HTTPS and no other way, else by UDP and TCP. */
export interface Upstream {
  readonly address: IpAddress;
  readonly port: number;
  readonly tls?: UpstreamTls;
  /** Whom a stub of the host's asks in turn, where that can be told. */
  readonly leadsTo?: readonly IpAddress[];
}

export interface UpstreamTls {
  /** The name that the certificate must hold; undefined demands the address in it. */
  readonly serverName: string | undefined;
  /** Where DNS over HTTPS is served; undefined is DNS over TLS. */
  readonly httpPath?: string;
  /** Certificates to trust in PEM; undefined trusts what Node does (NODE_EXTRA_CA_CERTS adds to it). */
  readonly authorities?: string;
}

/** A policy as it is sent: its lists by their ids. */
export type Posted<Policy extends { readonly lists: readonly EntryList[] }> = Omit<Policy, "lists"> & {
  readonly listIds: readonly number[];
};

export type ToDataPlane =
  | {
      readonly kind: "topology";
      /** Done once the data plane decides by it. */
      readonly requestId: number;
      readonly topology: Topology;
      /** Lists that were in no picture before; each is sent once, and the others refer to it by its id. */
      readonly lists: readonly EntryList[];
      readonly guarded: readonly Posted<GuardedNetwork>[];
      readonly services: readonly Posted<ServicePolicy>[];
      /** Ids of containers that may reach nothing, whatever is allowed. */
      readonly quarantined: readonly string[];
    }
  /** More has been read of the engine, and what was other than before was posted before. Others are as they were told. */
  | {
      readonly kind: "readings";
      readonly listedAtMs: number;
      readonly readAtMs: readonly (readonly [id: string, atMs: number])[];
    }
  /** The daemon's resolvers are others now. */
  | { readonly kind: "upstreams"; readonly upstreams: readonly Upstream[] }
  /** A reading that `refresh` asked for is over, and its picture was sent before. */
  | { readonly kind: "refreshed" }
  /** Tell of the lookups that are over by now; done when told. */
  | { readonly kind: "flush"; readonly requestId: number }
  | { readonly kind: "examine"; readonly requestId: number }
  /** What would be done with this, asked for by the container at these addresses. */
  | {
      readonly kind: "explain";
      readonly requestId: number;
      readonly addresses: readonly IpAddress[];
      readonly target: Target;
    }
  /** Whether nothing passes by any port of this container, read from the kernel. */
  | { readonly kind: "cut-off"; readonly requestId: number; readonly containerId: string }
  | { readonly kind: "release-all"; readonly requestId: number }
  | { readonly kind: "end" };

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

/** What the data plane found when it examined itself by behaviour. */
export interface DataPlaneFindings {
  /** Why no upstream answers; undefined when one does. */
  readonly upstream: string | undefined;
  readonly sandboxes: readonly { readonly addresses: readonly IpAddress[]; readonly captured: boolean }[];
}

/** One decision about one lookup, aggregated by the journal. */
export interface LookupEvent {
  readonly networkId: string;
  readonly asker: IpAddress;
  readonly domain: string;
  readonly allowed: boolean;
  readonly trouble?: LookupTrouble | undefined;
  readonly atMs: number;
  /** Addresses that were granted with this lookup. */
  readonly granted: readonly IpAddress[];
}

export type FromDataPlane =
  | { readonly kind: "ready" }
  /** A request is fulfilled, and there is nothing to tell but that. */
  | { readonly kind: "done"; readonly requestId: number }
  /** A request could not be fulfilled. */
  | {
      readonly kind: "refused";
      readonly requestId: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | { readonly kind: "examined"; readonly requestId: number; readonly findings: DataPlaneFindings }
  | { readonly kind: "explained"; readonly requestId: number; readonly explanation: Explanation }
  | { readonly kind: "is-cut-off"; readonly requestId: number; readonly cutOff: boolean }
  | { readonly kind: "lookups"; readonly events: readonly LookupEvent[] }
  /** Addresses that somebody new has got; what is tracked of their flows is not his. */
  | { readonly kind: "fresh-addresses"; readonly addresses: readonly IpAddress[] }
  /** Somebody asked whom or what we do not know yet: list again, now, and read these containers in any case. */
  | { readonly kind: "refresh"; readonly suspects: readonly string[] }
  | {
      readonly kind: "resolver";
      readonly report: ResolverReport;
      /** Of the data plane's thread, all of them. */
      readonly counters: readonly CounterReading[];
    }
  | { readonly kind: "sandboxes"; readonly captured: number; readonly problem: string | undefined }
  /** Something went wrong that the data plane lives on with: one sentence. */
  | { readonly kind: "problem"; readonly problem: string }
  /** The data plane cannot start or go on. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };
