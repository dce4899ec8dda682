// What the daemon does for the CLI. In which states it does it is decided elsewhere (src/control/commands-in-state.ts).

import { setTimeout as pause } from "node:timers/promises";
import type { ControlApi, DoctorReport } from "../../core/api/control-api.ts";
import type { StatusReport } from "../../core/model/report.ts";
import { isInForce, stateSentences } from "../../core/model/state.ts";
import { findDetours, renderDetour } from "../../core/path/detours.ts";
import { runsPortProxies } from "../../edge/engine/dockerd.ts";
import type { Engine } from "../../edge/engine/engine.ts";
import { readHostsFile } from "../../edge/engine/files/hosts-file.ts";
import { readResolvConf } from "../../edge/engine/files/resolv-conf.ts";
import type { Inventory } from "../../edge/engine/inventory.ts";
import { engineRoot } from "../../edge/engine/root.ts";
import { listHostAddresses } from "../../edge/host/addresses.ts";
import { areBridgesFiltered, forwardingSwitchedOff } from "../../edge/host/forwarding.ts";
import type { Log } from "../../edge/host/log.ts";
import { readFlows } from "../../edge/kernel/flows/stamped.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { findSavedRules } from "../../edge/kernel/iptables/saved-rules.ts";
import { DockerwallError } from "../../errors.ts";
import type { DataPlaneLink } from "../../planes/link.ts";
import { inTheirStates } from "../commands-in-state.ts";
import { untilEnforced } from "../enforcement/until-enforced.ts";
import type { Enforcement } from "../enforcement.ts";
import type { History } from "../history/history.ts";
import type { PolicySources } from "../policy-sources.ts";
import type { Reporter } from "../reporter.ts";
import type { Wall } from "../wall.ts";
import { findOwnResolvers } from "./doctor/own-resolvers.ts";
import { examineHost } from "./doctor.ts";
import { type ExplanationSources, explainTarget } from "./explain.ts";
import type { InForce } from "./in-force.ts";
import { type ApplyContext, applyOverrides } from "./overrides/apply-overrides.ts";
import { prepareNetwork } from "./prepare-network.ts";
import { type QuarantineContext, quarantineContainer, releaseContainer } from "./quarantine.ts";
import { replayOn } from "./replay.ts";
import { type EndSources, endsNow } from "./stats/ends-now.ts";
import { type SuggestionSources, suggestFor } from "./suggest.ts";
import { createUninstall, type UninstallOptions } from "./uninstall.ts";

export interface ControlApiOptions extends UninstallOptions {
  readonly engine: Engine;
  readonly wall: Wall;
  readonly reporter: Reporter;
  readonly history: History;
  readonly sets: KernelSets;
  readonly policies: PolicySources;
  readonly inventory: Pick<Inventory, "current">;
  readonly enforcement: Enforcement;
  readonly log: Log;
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes. */
  readonly guardsPorts: boolean;
}

/** How long `status` waits for the ways of containers. */
const detoursWithinMs = 1_000;

export function createControlApi(options: ControlApiOptions): ControlApi {
  const { reporter, policies } = options;
  const inForce = (): InForce => inForceOf(options);
  const { ended, seen, explained, applied, cut } = sourcesOf(options);
  /** The journal has every lookup that was answered before. */
  const flushed = async (): Promise<void> => dataPlaneOf(options).flush();
  const commands: ControlApi = {
    stats: async () => {
      await flushed();
      return reporter.stats(Date.now(), async (denied) => endsNow(denied, inForce(), ended));
    },
    status: () => statusOf(options),
    doctor: () => examine(options, explained),
    prepareNetwork: async (request) => {
      const enforced = (id: string): Promise<void> =>
        untilEnforced(id, reporter, options.enforcement.changes);
      return prepareNetwork({ ...request, engine: options.engine, presets: policies.presets(), enforced });
    },
    changeOverrides: async (request) => applyOverrides(request, inForce(), applied),
    explain: async (request) => {
      await flushed();
      return explainTarget(request, inForce(), explained);
    },
    suggest: async (request) => {
      await flushed();
      return suggestFor(request, inForce(), seen);
    },
    replay: async (request) => {
      await flushed();
      return replayOn(request, inForce(), seen);
    },
    quarantine: ({ container }) => quarantineContainer(container, cut),
    release: ({ container }) => releaseContainer(container, cut),
    uninstall: createUninstall(options),
  };
  return inTheirStates(commands, options.lifecycle);
}

/** What the commands work with, by command: `stats`, `suggest` and `replay`, `explain`, `allow` and `deny`, `quarantine` and `release`. */
interface Sources {
  readonly ended: EndSources;
  readonly seen: SuggestionSources;
  readonly explained: ExplanationSources;
  readonly applied: ApplyContext;
  readonly cut: QuarantineContext;
}

const host = {
  hostAddresses: listHostAddresses,
  bridgesFiltered: areBridgesFiltered,
  portProxies: runsPortProxies,
};

function sourcesOf(options: ControlApiOptions): Sources {
  const { sets, history } = options;
  const topology = options.inventory.current;
  const plane = (): DataPlaneLink => dataPlaneOf(options);
  return {
    ended: { history, ...host, areOpen: async (packets) => plane().areOpen(packets) },
    seen: { sets, history, ...host },
    explained: {
      sets,
      history,
      flows: readFlows,
      ...host,
      hostsFile: ({ hostsFile }) => {
        const root = engineRoot();
        return root === undefined || hostsFile === undefined ? undefined : readHostsFile(root, hostsFile);
      },
      directAccess: () => options.wall.directAccess(),
      resolvConf: readResolvConf,
      readPath: async (path) => plane().readPath(path),
    },
    applied: {
      ...options,
      topology,
      takeLeft: async (addresses, rights) => plane().takeLeft(addresses, rights),
    },
    cut: {
      ...options,
      topology,
      cutOf: async (id) => plane().cutOf(id),
    },
  };
}

/** @throws DockerwallError NOT_ENFORCED while there is none */
function dataPlaneOf({ dataPlane }: Pick<ControlApiOptions, "dataPlane">): DataPlaneLink {
  const plane = dataPlane();
  if (plane === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
  return plane;
}

/** @throws DockerwallError NOT_ENFORCED before anything is */
function inForceOf({ enforcement, inventory, wall, policies }: ControlApiOptions): InForce {
  const classification = enforcement.classification();
  if (classification === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
  return {
    topology: inventory.current(),
    classification,
    quarantine: wall.quarantine,
    presets: policies.presets(),
    nowMs: Date.now(),
    uptimeMs: policies.nowMs(),
  };
}

async function examine(options: ControlApiOptions, explained: ExplanationSources): Promise<DoctorReport> {
  const { reporter, wall } = options;
  const root = engineRoot();
  const guarded = new Set(inForceOf(options).classification.guarded.map(({ id }) => id));
  return examineHost({
    engine: options.engine,
    status: reporter.status(),
    topology: options.inventory.current,
    guarded,
    rulesStand: wall.stands,
    foreignMarks: wall.foreignMarks,
    examine: async (asks) => dataPlaneOf(options).examine(asks),
    ownResolvers: () =>
      findOwnResolvers({
        topology: options.inventory.current(),
        guarded,
        resolvConf: readResolvConf,
        explain: (request) => explainTarget(request, inForceOf(options), explained),
      }),
    detours: () => detoursOf(options),
    savedRules: root === undefined ? [] : findSavedRules(root),
    forwardingSwitchedOff,
  });
}

/** Of a data plane that is busy it is not told which way containers send: a report of health waits for nobody. */
async function statusOf(options: ControlApiOptions): Promise<StatusReport> {
  const report = options.reporter.status();
  if (!isInForce(report.state)) return report;
  const late = pause(detoursWithinMs, [], { ref: false });
  const detours = await Promise.race([detoursOf(options), late]).catch(() => []);
  return { ...report, warnings: [...report.warnings, ...detours] };
}

/** One sentence each. */
async function detoursOf({
  dataPlane,
  enforcement,
  inventory,
}: ControlApiOptions): Promise<readonly string[]> {
  const classification = enforcement.classification();
  const ways = await dataPlane()?.readWays();
  if (classification === undefined || ways === undefined) return [];
  const { guarded, containers } = classification;
  return findDetours(inventory.current(), { guarded, services: containers.services }, ways).map(renderDetour);
}
