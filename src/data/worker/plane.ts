// Puts the data plane together, in the order in which its parts may begin.

import type { Presence } from "../../core/askers/knowledge.ts";
import type { OpenQueue } from "../../core/queued-packet.ts";
import { after } from "../../edge/host/every.ts";
import { disownFlows, stampedSources } from "../../edge/kernel/flows/stamped.ts";
import { openKernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { createReadiness } from "../../edge/kernel/readiness.ts";
import type { DataPlaneSettings } from "../../planes/messages.ts";
import type { AdmissionOptions } from "../admission/rights.ts";
import { startAdmission } from "../admission.ts";
import { Answerer } from "../answerer.ts";
import { startListeners } from "../listeners.ts";
import { startQueue } from "../packets/first-packets.ts";
import { FormerFlows } from "../sandboxes/former-flows.ts";
import { createPresence, type PresenceBook } from "../waiting/presence.ts";
import type { BaseParts } from "./base-parts.ts";
import { createEngineRequests } from "./engine-requests.ts";
import { HostAddresses } from "./host-addresses.ts";
import { createFlowCuts } from "./open-flows.ts";
import { createOwnership } from "./ownership.ts";
import type { PlaneParts } from "./parts.ts";
import { PendingSandboxes } from "./pending-sandboxes.ts";
import { SandboxLayer } from "./sandbox-layer.ts";
import type { Telling } from "./telling.ts";
import { View } from "./view.ts";

/**
 * Resolves when lookups are listened for and sandboxes captured.
 * @param takeQuestions to be called when nothing more is to be done before questions of the engine are served
 * @throws DockerwallError, what keeps it from that
 */
export async function startPlane(
  settings: DataPlaneSettings,
  telling: Telling,
  takeQuestions: () => Promise<OpenQueue | undefined>,
): Promise<PlaneParts> {
  const { sandboxFolder, queueNumber, dnsPort } = settings;
  const parts = createBase(settings, telling, {
    addressesOf: (sandbox) => sandboxLayer?.addressesOf(sandbox),
    judge: (sandbox) => sandboxLayer?.judge(sandbox),
    isInside: (address) => answerer.isInside(address),
  });
  const { view, admission, hostAddresses, readiness } = parts;
  const sandboxLayer = sandboxFolder === undefined ? undefined : new SandboxLayer(parts, sandboxFolder);
  const answerer = startAnswerer(parts, sandboxLayer);
  const indexNow = (): typeof view.index => view.index;
  startQueue({ number: queueNumber, readiness, admission, indexNow, onProblem: telling.problem });
  const listeners = await startListeners({
    port: dnsPort,
    answerer,
    sets: parts.sets,
    onListening: (place) => telling.tell({ kind: "listens", ...place }),
    onProblem: telling.problem,
  });
  if (sandboxLayer !== undefined) sandboxLayer.begin(answerer, await takeQuestions());
  const cutFlows = createFlowCuts(view, admission, hostAddresses);
  return { ...parts, answerer, cutFlows, listeners, sandboxLayer };
}

/** What later parts know. */
interface Later extends Required<Pick<AdmissionOptions, "isInside">> {
  /** What a sandbox has now; undefined when there is none of that name. */
  readonly addressesOf: Parameters<typeof createPresence>[0];
  /** Judges a sandbox again. */
  readonly judge: (sandbox: string) => void;
}

function createBase(
  settings: DataPlaneSettings,
  telling: Telling,
  { addressesOf, judge, isInside }: Later,
): BaseParts {
  const engine = createEngineRequests(() => view, telling);
  const presence = createPresence(addressesOf, monotonicMs, engine.refreshForStranger);
  const view = new View({
    presence: settings.sandboxFolder === undefined ? presenceByPicture(presence) : presence,
    isLive: (sandbox) => addressesOf(sandbox) !== undefined,
  });
  const hostAddresses = new HostAddresses();
  const sets = openKernelSets();
  const admission = startAdmission({
    sets,
    graceSeconds: settings.leaseGraceSeconds,
    nowMs: monotonicMs,
    isInside,
  });
  const formerFlows = new FormerFlows({
    uncleared: admission.uncleared,
    disown: disownFlows,
    stampedSources,
    isHeld: (address) => admission.holderOf(address) !== undefined,
    onCleared: judge,
    after,
    onProblem: telling.problem,
  });
  return {
    settings,
    telling,
    sets,
    readiness: createReadiness(),
    view,
    presence,
    pending: new PendingSandboxes(),
    engine,
    admission,
    ownership: createOwnership(presence, admission, formerFlows, telling),
    hostAddresses,
  };
}

/** Without sandboxes of our own, only the picture says who has which address. */
function presenceByPicture(presence: PresenceBook): Presence {
  return { ...presence, isInUse: () => true, holderOf: () => undefined };
}

function startAnswerer(parts: BaseParts, sandboxLayer: SandboxLayer | undefined): Answerer {
  const { settings, admission, view, hostAddresses, telling, engine } = parts;
  return new Answerer({
    settings,
    admission,
    indexNow: () => view.index,
    ownAddresses: hostAddresses,
    onLookup: telling.lookup,
    onRepeatedLookup: telling.repeatedLookup,
    onProblem: telling.problem,
    onUnknown: engine.refresh,
    nameReadings: { ask: () => engine.refresh("name"), isOver: engine.isOver },
    mayHaveCome: () => sandboxLayer === undefined || sandboxLayer.mayHaveCome(),
  });
}
