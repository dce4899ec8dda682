// What passes between the control plane (main thread) and the data plane (worker thread): plain data only.

import type { ErrorCode } from "../errors.ts";
import type { Entry } from "../policy/entry.ts";
import type { IpAddress, Prefix } from "./address.ts";
import type { Topology } from "./topology.ts";

/** A network whose containers may reach only what the entries grant. */
export interface GuardedNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly Prefix[];
  readonly gateways: readonly IpAddress[];
  readonly entries: readonly Entry[];
  readonly dns: NetworkDns;
}

/** How a network's names are looked up. */
export interface NetworkDns {
  /** Undefined: those of the daemon. Empty: none, and every lookup fails. */
  readonly upstreams: readonly Upstream[] | undefined;
  /** Codes of types that are served beyond the default ones. */
  readonly types: readonly number[];
}

/** What a container's own label adds to the allowlists of its networks, for it only. */
export interface ServicePolicy {
  readonly containerId: string;
  readonly name: string;
  /** Its addresses on guarded networks. */
  readonly addresses: readonly IpAddress[];
  readonly entries: readonly Entry[];
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
  readonly queueNumber: number;
}

/** A resolver to ask: with `tls` over TLS or HTTPS and no other way, else by UDP and TCP. */
export interface Upstream {
  readonly address: IpAddress;
  readonly port: number;
  readonly tls?: UpstreamTls;
}

export interface UpstreamTls {
  /** The name that the certificate must hold; undefined demands the address in it. */
  readonly serverName: string | undefined;
  /** Where DNS over HTTPS is served; undefined is DNS over TLS. */
  readonly httpPath?: string;
  /** Certificates to trust in PEM; undefined trusts what Node does (NODE_EXTRA_CA_CERTS adds to it). */
  readonly authorities?: string;
}

export type ToDataPlane =
  | {
      readonly kind: "topology";
      /** Done once the data plane decides by it. */
      readonly requestId: number;
      readonly topology: Topology;
      readonly guarded: readonly GuardedNetwork[];
      readonly services: readonly ServicePolicy[];
      /** Ids of containers that may reach nothing, whatever is allowed. */
      readonly quarantined: readonly string[];
    }
  /** The daemon's resolvers are others now. */
  | { readonly kind: "upstreams"; readonly upstreams: readonly Upstream[] }
  /** A reading that `refresh` asked for is over, and its picture was sent before. */
  | { readonly kind: "refreshed" }
  /** Tell of the lookups that are over by now; done when told. */
  | { readonly kind: "flush"; readonly requestId: number }
  | { readonly kind: "examine"; readonly requestId: number }
  | { readonly kind: "release-all"; readonly requestId: number }
  | { readonly kind: "end" };

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
  readonly atMs: number;
  /** Addresses that were granted with this lookup. */
  readonly granted: readonly IpAddress[];
}

export type FromDataPlane =
  | { readonly kind: "ready" }
  /** A request is fulfilled, and there is nothing to tell but that. */
  | { readonly kind: "done"; readonly requestId: number }
  | { readonly kind: "examined"; readonly requestId: number; readonly findings: DataPlaneFindings }
  | { readonly kind: "lookups"; readonly events: readonly LookupEvent[] }
  /** Addresses that somebody new has got; what is tracked of their flows is not his. */
  | { readonly kind: "fresh-addresses"; readonly addresses: readonly IpAddress[] }
  /** Somebody asked whom or what we do not know yet: list again, now. */
  | { readonly kind: "refresh" }
  | { readonly kind: "sandboxes"; readonly captured: number; readonly problem: string | undefined }
  /** Something went wrong that the data plane lives on with: one sentence. */
  | { readonly kind: "problem"; readonly problem: string }
  /** The data plane cannot start or go on. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };
