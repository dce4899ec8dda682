// What the daemon can be asked, over any transport: plain data in both directions. The reports are in report.ts.

import type {
  DoctorReport,
  ExplainReport,
  OverridesReport,
  PreparedNetwork,
  QuarantineReport,
  ReplayReport,
  StatsReport,
  StatusReport,
  SuggestReport,
} from "./report.ts";
import { type DaemonState, daemonStates, inForceStates } from "./state.ts";

/** Each method takes one request or none; src/edge/control-socket/routes.ts has a route for each. */
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

/** Of every command: nothing else decides whether it is refused for the state of the daemon. */
export const commandStates: { readonly [Name in keyof ControlApi]: CommandStates } = {
  stats: inForce,
  status: always,
  doctor: inForce,
  prepareNetwork: inForce,
  changeOverrides: inForce,
  explain: inForce,
  suggest: inForce,
  replay: inForce,
  quarantine: inForce,
  release: inForce,
  // Again after one that failed; and it changes the state itself.
  uninstall: { begins: [...inForceStates, "uninstalling", "uninstalled"], ends: daemonStates },
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
