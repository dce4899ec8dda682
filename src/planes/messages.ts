// What the control plane (main thread) and the data plane (worker thread) exchange: plain data only. What is asked
// and answered is in request-table.ts.

import type { CounterReading } from "../core/counters/reading.ts";
import type { FreshAddress } from "../core/journal/holders.ts";
import type { LookupEvent } from "../core/journal/lookup-event.ts";
import type { ResolverReport } from "../core/model/report/status.ts";
import type { Upstream } from "../core/model/upstream.ts";
import type { OpenQueue } from "../core/queued-packet.ts";
import type { ErrorCode } from "../errors.ts";
import type { AnyRequest } from "./request-table.ts";

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

export type ToDataPlane =
  /** The queue in which questions of the engine wait already; undefined where none do. */
  | { readonly kind: "questions"; readonly queue: OpenQueue | undefined }
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
  | AnyRequest
  | { readonly kind: "end" };

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
  /** What a request is answered: of the type that the table says. */
  | { readonly kind: "answered"; readonly requestId: number; readonly answer: unknown }
  /** A request could not be fulfilled. */
  | {
      readonly kind: "refused";
      readonly requestId: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
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
  /** What there is to say of interfaces of guarded containers that are on no network of the engine, one sentence each. */
  | { readonly kind: "foreign-interfaces"; readonly sentences: readonly string[] }
  /** Something went wrong that the data plane lives on with: one sentence. */
  | { readonly kind: "problem"; readonly problem: string }
  /** The data plane cannot start or go on. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };
