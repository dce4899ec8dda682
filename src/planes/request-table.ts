// What the control plane asks the data plane: a function for each request, with what it asks and what it is answered.
// Both ends follow from this table: the link has a method for each (link.ts), and the worker must have a handler
// (src/data/worker/messages.ts). All of it is plain data, as it is copied from thread to thread.

import type { Cut } from "../core/cut.ts";
import type { KernelRight } from "../core/grants/entry-index.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { GuardedNetwork, ServicePolicy } from "../core/model/guarded-network.ts";
import type { Topology } from "../core/model/topology.ts";
import type { ContainerWays } from "../core/path/detours.ts";
import type { PathReading } from "../core/path/reading.ts";
import type { EntryList } from "../core/policy/entry-list.ts";
import type { ExplainTarget } from "../core/policy/target.ts";

export interface PlaneRequests {
  /** Answered once the data plane decides by this picture. */
  post(picture: PostedPicture): void;
  /** Answered at once: who asks learns that it is awake. */
  respond(): void;
  /** Answered when `onLookups` has been told of every lookup that was answered before. */
  flush(): void;
  /** Examines itself by behaviour, and asks these servers. */
  examine(asks: readonly AskedServer[]): DataPlaneFindings;
  /** What the way of a container's packets to a target is like. */
  readPath(path: PathRequest): PathReading;
  /** Which way out each container on several networks takes. */
  readWays(): readonly ContainerWays[];
  /** How far a container is cut off at its ports, read from the kernel; `none` for one without. */
  cutOf(containerId: string): Cut;
  /** Whether each of these packets would pass by what lookups have opened, as the data plane remembers it. */
  areOpen(packets: readonly AskersPacket[]): readonly boolean[];
  /**
   * Takes from these addresses what is not allowed of the rights that the kernel was seen to hold, and of open flows.
   * @returns how many there were: none when a change of policy was in force before
   */
  takeLeft(addresses: readonly IpAddress[], rights: readonly KernelRight[]): number;
  /** Gives every sandbox back to Docker's own resolver. */
  releaseAll(): void;
}

/** Each of them once: types are gone when the link is made. */
export const requestNames = Object.keys({
  post: true,
  respond: true,
  flush: true,
  examine: true,
  readPath: true,
  readWays: true,
  cutOf: true,
  areOpen: true,
  takeLeft: true,
  releaseAll: true,
} satisfies Record<RequestName, true>) as readonly RequestName[];

export type RequestName = keyof PlaneRequests;
export type ArgumentsOf<Name extends RequestName> = Parameters<PlaneRequests[Name]>;
export type AnswerOf<Name extends RequestName> = ReturnType<PlaneRequests[Name]>;

/** A request as it is sent. */
export interface PlaneRequest<Name extends RequestName> {
  readonly kind: "request";
  readonly requestId: number;
  readonly name: Name;
  readonly asked: ArgumentsOf<Name>;
}

export type AnyRequest = { readonly [Name in RequestName]: PlaneRequest<Name> }[RequestName];

/** What the worker must have: each answers at once or later. */
export type RequestHandlers = {
  readonly [Name in RequestName]: (...asked: ArgumentsOf<Name>) => AnswerOf<Name> | Promise<AnswerOf<Name>>;
};

/** What the link has. Each throws what the request was refused with, or what ended the data plane. */
export type RequestMethods = {
  readonly [Name in RequestName]: (...asked: ArgumentsOf<Name>) => Promise<AnswerOf<Name>>;
};

/** A policy as it is sent: its lists by their ids. */
export type Posted<Policy extends { readonly lists: readonly EntryList[] }> = Omit<Policy, "lists"> & {
  readonly listIds: readonly number[];
};

export interface PostedPicture {
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

/** From whom to where. */
export interface AskersPacket {
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
