// What the daemon can be asked, over any transport: plain data in both directions. A method is a line of ControlApi and a
// row of the table below it; what it is asked and answers is at the end. Reports that core makes are in model/report.ts.

import type {
  ExplainReport,
  OverridesReport,
  ReplayReport,
  StatsReport,
  StatusReport,
  SuggestReport,
} from "../model/report.ts";
import { type DaemonState, daemonStates, inForceStates } from "../model/state.ts";
import {
  fields,
  flag,
  nothing,
  oneOf,
  optional,
  type Reader,
  text,
  texts,
  wholeNumber,
} from "./request-checks.ts";

/** Each method takes one request or none. */
export interface ControlApi {
  stats(): Promise<StatsReport>;
  status(): Promise<StatusReport>;
  doctor(): Promise<DoctorReport>;
  /** @throws DockerwallError NETWORK_EXISTS, BAD_ENTRY, ENGINE_REFUSED, NOT_ENFORCED. */
  prepareNetwork(request: PrepareNetworkRequest): Promise<PreparedNetwork>;
  /** Makes overrides, or takes them back; in force when it resolves. @throws DockerwallError BAD_ENTRY, NOT_FOUND, USAGE */
  changeOverrides(request: OverrideRequest): Promise<OverridesReport>;
  /** @throws DockerwallError BAD_ENTRY, NOT_FOUND */
  explain(request: ExplainRequest): Promise<ExplainReport>;
  /** @throws DockerwallError NOT_FOUND */
  suggest(request: SuggestRequest): Promise<SuggestReport>;
  /** @throws DockerwallError BAD_ENTRY, NOT_FOUND, USAGE */
  replay(request: ReplayRequest): Promise<ReplayReport>;
  /** Cuts a container off from everything. @throws DockerwallError NOT_FOUND */
  quarantine(request: ContainerRequest): Promise<QuarantineReport>;
  /** Lets it back. @throws DockerwallError NOT_FOUND */
  release(request: ContainerRequest): Promise<QuarantineReport>;
  uninstall(): Promise<void>;
}

/** The states of the daemon in which a command may begin, and those in which what it says still counts when it ends. */
export interface CommandStates {
  readonly begins: readonly DaemonState[];
  readonly ends: readonly DaemonState[];
}

const always: CommandStates = { begins: daemonStates, ends: daemonStates };
/** What an uninstall overtakes says nothing that is true. */
const inForce: CommandStates = { begins: inForceStates, ends: inForceStates };

export type RouteName = keyof ControlApi;

/** `undefined` for a method without a request. */
export type RequestOf<Name extends RouteName> =
  Parameters<ControlApi[Name]> extends readonly [infer Request] ? Request : undefined;

export type ResponseOf<Name extends RouteName> = Awaited<ReturnType<ControlApi[Name]>>;

export interface Route<Name extends RouteName> {
  /** GET is for questions only: following a link must not change anything. */
  readonly method: "GET" | "POST";
  readonly path: `/v1/${string}`;
  readonly request: Reader<RequestOf<Name>>;
  /** `nothing`: an empty object confirms success. */
  readonly answer: ResponseOf<Name> extends void ? "nothing" : "report";
  /** How long the answer may take. */
  readonly withinMs: number;
  /** Nothing else decides whether it is refused for the state of the daemon. */
  readonly states: CommandStates;
}

/** Any of the routes. */
export type AnyRoute = { readonly [Name in RouteName]: Route<Name> }[RouteName];

/** The daemon has the answer at hand. */
const atHandMs = 5_000;
/** The daemon waits for the engine, the kernel or a resolver. */
const elsewhereMs = 60_000;

/** Every transport serves this table, the CLI asks by it, and a method without a row does not compile. */
export const routes: { readonly [Name in RouteName]: Route<Name> } = {
  stats: {
    method: "GET",
    path: "/v1/stats",
    request: nothing,
    answer: "report",
    withinMs: atHandMs,
    states: inForce,
  },
  status: {
    method: "GET",
    path: "/v1/status",
    request: nothing,
    answer: "report",
    withinMs: atHandMs,
    states: always,
  },
  doctor: {
    method: "GET",
    path: "/v1/doctor",
    request: nothing,
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  prepareNetwork: {
    method: "POST",
    path: "/v1/networks",
    request: fields({ name: text, patterns: texts }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  changeOverrides: {
    method: "POST",
    path: "/v1/overrides",
    request: fields({
      verb: oneOf(["allow", "deny", "undo"]),
      target: text,
      entries: texts,
      forSeconds: optional(wholeNumber(1)),
    }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  explain: {
    method: "POST",
    path: "/v1/explain",
    request: fields({ container: text, target: text }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  suggest: {
    method: "POST",
    path: "/v1/suggest",
    request: fields({ network: text, wildcards: optional(flag), gone: optional(flag) }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  replay: {
    method: "POST",
    path: "/v1/replay",
    request: fields({ network: text, allow: optional(text), own: optional(texts) }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  quarantine: {
    method: "POST",
    path: "/v1/quarantine",
    request: fields({ container: text }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  release: {
    method: "POST",
    path: "/v1/release",
    request: fields({ container: text }),
    answer: "report",
    withinMs: elsewhereMs,
    states: inForce,
  },
  uninstall: {
    method: "POST",
    path: "/v1/uninstall",
    request: nothing,
    answer: "nothing",
    withinMs: elsewhereMs,
    // Again after one that failed; and it changes the state itself.
    states: { begins: [...inForceStates, "uninstalling", "uninstalled"], ends: daemonStates },
  },
};

export interface SuggestRequest {
  readonly network: string;
  /** Whether a wildcard may stand for four names or more. */
  readonly wildcards?: boolean | undefined;
  /** Whether containers that are gone count too. */
  readonly gone?: boolean | undefined;
}

export interface ContainerRequest {
  /** Name, id, or the beginning of an id. */
  readonly container: string;
}

export interface NetworkRequest {
  readonly network: string;
}

export interface ReplayRequest extends NetworkRequest {
  /** The network's label as it might be; undefined for the one that it has. */
  readonly allow?: string | undefined;
  /** `CONTAINER=ENTRIES`: the labels of its containers as they might be. */
  readonly own?: readonly string[] | undefined;
}

export interface PrepareNetworkRequest {
  readonly name: string;
  readonly patterns: readonly string[];
}

/** What `allow` and `deny` ask for. */
export interface OverrideRequest {
  readonly verb: "allow" | "deny" | "undo";
  /** A guarded network, or a container on one. */
  readonly target: string;
  readonly entries: readonly string[];
  /** How long the override is in force; undefined until the host is restarted. */
  readonly forSeconds: number | undefined;
}

/** What `explain` asks: a container, and `NAME|ADDRESS[:PORT][/tcp|/udp]`. */
export interface ExplainRequest extends ContainerRequest {
  readonly target: string;
}

/** What `prepare-network` created. */
export interface PreparedNetwork {
  readonly id: string;
  readonly name: string;
  readonly bridge: string;
  readonly subnets: readonly string[];
}

/** One thing that `doctor` checked. */
export interface Check {
  /** `engine`, `rules`, `upstream`, `upstream of NETWORK`, `capture of NAME`, … */
  readonly subject: string;
  /** False if it needs correcting. */
  readonly ok: boolean;
  /** True for what is to be known and breaks nothing: audit mode, a container that no wall can hold, a held bridge. */
  readonly warning?: boolean;
  /** One sentence: what was found and, if it is not well, what to do. */
  readonly finding: string;
}

export interface DoctorReport {
  readonly checks: readonly Check[];
}

/** What `quarantine` and `release` have done. */
export interface QuarantineReport {
  /** The container that was meant, by the name that the engine has for it. */
  readonly container: string;
  readonly quarantined: boolean;
  /** By what it may leave all the same; one sentence each. */
  readonly warnings: readonly string[];
}
