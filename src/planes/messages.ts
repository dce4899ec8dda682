// What the control plane (main thread) and the data plane (worker thread) exchange: plain data only.

import type { CounterReading } from "../core/counters/reading.ts";
import type { Cut } from "../core/cut.ts";
import type { KernelRight } from "../core/grants/entry-index.ts";
import type { FreshAddress } from "../core/journal/holders.ts";
import type { LookupEvent } from "../core/journal/lookup-event.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { GuardedNetwork, ServicePolicy } from "../core/model/guarded-network.ts";
import type { ResolverReport } from "../core/model/report.ts";
import type { Topology } from "../core/model/topology.ts";
import type { Upstream } from "../core/model/upstream.ts";
import type { ContainerWays } from "../core/path/detours.ts";
import type { PathReading } from "../core/path/reading.ts";
import type { EntryList } from "../core/policy/entry-list.ts";
import type { ExplainTarget } from "../core/policy/target.ts";
import type { OpenQueue } from "../core/queued-packet.ts";
import type { ErrorCode } from "../errors.ts";

/** Settings of the data plane, fixed for its life. */
export interface DataPlaneSettings {
  /** Port of the listener on the host that layer 1 redirects to; `auto`: the first that is free of several. */
  readonly dnsPort: number | "auto";
  readonly upstreams: readonly Upstream[];
  /** Least life of a grant, seconds. */
  readonly leaseFloorSeconds: number;
  /** How much longer a grant lives than the TTL in the client's answer, seconds. */
  readonly leaseGraceSeconds: number;
  /** The engine's folder of sandboxes as we can reach it; undefined turns layer 2 off. */
  readonly sandboxFolder: string | undefined;
  /** Whether the ports of guarded sandboxes are guarded; false where the kernel cannot. */
  readonly guardPorts: boolean;
  /** Whether what comes by ports that are not settled can wait; false where the kernel has no table for it. */
  readonly holdUnsettled: boolean;
  readonly queueNumber: number;
  /** Where the engine listens; it tells this engine from others on the host. */
  readonly dockerSocket?: string;
}

/** A policy as it is sent: its lists by their ids. */
export type Posted<Policy extends { readonly lists: readonly EntryList[] }> = Omit<Policy, "lists"> & {
  readonly listIds: readonly number[];
};

export type ToDataPlane =
  /** The queue in which questions of the engine wait already; undefined where none do. */
  | { readonly kind: "questions"; readonly queue: OpenQueue | undefined }
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
      /** Bridges where guarded containers pass nothing, as they are part of another device. */
      readonly enslaved?: readonly string[];
    }
  /** More has been read of the engine, and what was other than before was posted before. Others are as they were told. */
  | {
      readonly kind: "readings";
      readonly listedAtMs: number;
      readonly readAtMs: readonly (readonly [id: string, atMs: number])[];
    }
  /** The daemon's resolvers are others now. */
  | { readonly kind: "upstreams"; readonly upstreams: readonly Upstream[] }
  /** What `refresh` asked for is over: the picture was sent before, unless the engine could not be read. */
  | { readonly kind: "refreshed"; readonly number: number; readonly wasRead: boolean }
  /** What comes by ports that are not settled waits from now on. */
  | { readonly kind: "hold-unsettled" }
  /** Tell of the lookups that are over by now; done when told. */
  | { readonly kind: "flush"; readonly requestId: number }
  | { readonly kind: "examine"; readonly requestId: number; readonly asks: readonly AskedServer[] }
  /** What the way of this container's packets to a target is like. */
  | ({ readonly kind: "path"; readonly requestId: number } & PathRequest)
  /** Which way out each container on several networks takes. */
  | { readonly kind: "ways"; readonly requestId: number }
  /** How far this container is cut off at its ports, read from the kernel. */
  | { readonly kind: "cut"; readonly requestId: number; readonly containerId: string }
  /** Which of these packets would pass by what lookups have opened. */
  | { readonly kind: "open"; readonly requestId: number; readonly packets: readonly SentPacket[] }
  /** Take from these addresses what is not allowed of the rights that the kernel was seen to hold, and of open flows. */
  | {
      readonly kind: "take-left";
      readonly requestId: number;
      readonly addresses: readonly IpAddress[];
      readonly rights: readonly KernelRight[];
    }
  | { readonly kind: "release-all"; readonly requestId: number }
  | { readonly kind: "end" };

/** From whom to where. */
export interface SentPacket {
  readonly asker: IpAddress;
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  readonly port: number | undefined;
}

/** A container with a sandbox of its own, its addresses, what it would reach, and where its /etc/hosts has a name for that. */
export interface PathRequest {
  readonly containerId: string;
  readonly addresses: readonly IpAddress[];
  readonly target: ExplainTarget;
  readonly hosts: readonly IpAddress[];
}

/** Whether one of several resolvers answers. */
export interface ResolverFinding {
  /** Names of the networks whose label names these; undefined for the daemon's own. */
  readonly networks: readonly string[] | undefined;
  /** Why none of them answers; undefined when one does. */
  readonly problem: string | undefined;
}

/** What the data plane found when it examined itself by behaviour. */
export interface DataPlaneFindings {
  /** One for each choice of resolvers that a network asks. */
  readonly resolvers: readonly ResolverFinding[];
  readonly sandboxes: readonly { readonly addresses: readonly IpAddress[]; readonly captured: boolean }[];
  /** Of each server that was to be asked. */
  readonly asked: readonly (AskedServer & { readonly captured: boolean })[];
}

/** A server that a container asks beside Docker's own, where its lookups should come to us. */
export interface AskedServer {
  /** The one whose network it is. */
  readonly containerId: string;
  readonly server: IpAddress;
}

/** Where redirected lookups arrive. */
export interface HostPort {
  readonly port: number;
  /** Why it is not the usual one, one sentence; undefined where it is, or was set. */
  readonly problem: string | undefined;
}

export type FromDataPlane =
  | { readonly kind: "ready" }
  /** It is told before anything else is. */
  | ({ readonly kind: "listens" } & HostPort)
  /** It serves the questions of the engine from now on: `questions` is to hand them over. */
  | { readonly kind: "takes-questions" }
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
  | { readonly kind: "path-read"; readonly requestId: number; readonly reading: PathReading }
  | { readonly kind: "ways-read"; readonly requestId: number; readonly ways: readonly ContainerWays[] }
  | { readonly kind: "cut-read"; readonly requestId: number; readonly cut: Cut }
  /** Of each packet, in their order. */
  | { readonly kind: "open-read"; readonly requestId: number; readonly open: readonly boolean[] }
  | { readonly kind: "left-taken"; readonly requestId: number; readonly count: number }
  | { readonly kind: "lookups"; readonly events: readonly LookupEvent[] }
  /** Addresses that have passed on to new containers; lookups that were told of before are not theirs. */
  | { readonly kind: "fresh-addresses"; readonly addresses: readonly FreshAddress[] }
  /** An asker, or what it asks for, is not known yet: list again, now, and read these containers in any case. */
  | { readonly kind: "refresh"; readonly number: number; readonly suspects: readonly string[] }
  | {
      readonly kind: "resolver";
      readonly report: ResolverReport;
      /** Of the data plane's thread, all of them. */
      readonly counters: readonly CounterReading[];
    }
  /** Addresses are in a further part of a set, which the rules must look through from now on. */
  | { readonly kind: "second-part" }
  /** How many are captured, why some are not, and whether that is ours to correct and not some containers' doing. */
  | {
      readonly kind: "sandboxes";
      readonly captured: number;
      readonly problem: string | undefined;
      readonly isOurs: boolean;
    }
  /** Something went wrong that the data plane lives on with: one sentence. */
  | { readonly kind: "problem"; readonly problem: string }
  /** The data plane cannot start or go on. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };
