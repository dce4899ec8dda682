// The data plane: one worker thread that owns the DNS sockets, the decision and the grants. It decides by the
// last picture that the control plane posted, tells it in batches what happened, and never waits for it.

import { parentPort, workerData } from "node:worker_threads";
import { AskerIndex, type Membership, type Standing } from "../core/askers/index-of-askers.ts";
import { allRead, Knowledge } from "../core/askers/knowledge.ts";
import { LateCaptures } from "../core/askers/late-captures.ts";
import { Newcomers } from "../core/askers/unknown-sandboxes.ts";
import { contain } from "../core/contain.ts";
import { readCounters } from "../core/counters/registry.ts";
import { canaryQuery, isOurDenial } from "../core/dns/canary.ts";
import type { LookupEvent } from "../core/journal/lookup-event.ts";
import {
  anyAddress,
  hostPrefix,
  type IpAddress,
  type Prefix,
  prefixContains,
} from "../core/model/address.ts";
import type { Picture } from "../core/model/picture.ts";
import type { Readings, Topology } from "../core/model/topology.ts";
import { createListCompiler } from "../core/policy/entry-list.ts";
import { watchEngineProcess } from "../edge/engine/process.ts";
import { listHostAddresses } from "../edge/host/addresses.ts";
import { awakeEveryMs, awakeSeconds, holdEngineQuestions } from "../edge/kernel/flows/engine-queue.ts";
import { type FlowHead, forgetUnless } from "../edge/kernel/flows/stamped.ts";
import { openKernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../edge/kernel/monotonic.ts";
import { createReadiness } from "../edge/kernel/readiness.ts";
import { listenOnHost } from "../edge/listener/host.ts";
import { listenTcp } from "../edge/listener/tcp.ts";
import type { DnsHandler } from "../edge/listener/udp.ts";
import { createSandboxes, type Sandboxes } from "../edge/sandbox/sandboxes.ts";
import { ConnectionPool } from "../edge/upstream/connection-pool.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { DataPlaneFindings, DataPlaneSettings, FromDataPlane, ToDataPlane } from "../planes/messages.ts";
import { createReceiver, epochOf, withReadings } from "../planes/picture.ts";
import { startAdmission } from "./admission.ts";
import { createAnswerer } from "./answerer.ts";
import { startEngineQuestions } from "./engine-questions.ts";
import { startQueue } from "./first-packets.ts";
import { explain } from "./rehearse.ts";
import { createStandings } from "./sandbox-standing.ts";
import { startUnsettledQueue, type UnsettledQueue } from "./unsettled-queue.ts";
import { createPresence } from "./waiting/presence.ts";

/** How long lookups are gathered before the control plane hears of them. */
const journalEveryMs = 200;
/** A request for a reading of the engine is not repeated within this time; the last one always is made. */
const refreshEveryMs = 25;
/** The same for somebody of whom no sandbox is known: sources can be forged where nothing tells who sends. */
const betweenStrangersMs = 1_000;
/** A container that may be in quarantine, or about to join a guarded network, is asked after anew so often. */
const doubtAgainMs = 1_000;
/** How often what hangs on ports is compared, where the kernel does not keep others from it. */
const healPortsEveryMs = 5_000;
/** How often the host's own addresses are read again, and run-out grants forgotten. */
const housekeepingEveryMs = 30_000;
/** TCP connections of all networks together. */
const hostConnections = 512;

const port = parentPort;
if (port === null) throw new DockerwallError("INTERNAL", "data/worker.ts runs as a worker thread only");
const settings = workerData as DataPlaneSettings;
const tell = (message: FromDataPlane): void => port.postMessage(message);
const done = ({ requestId }: { readonly requestId: number }): void => tell({ kind: "done", requestId });
port.on("message", ({ kind }: ToDataPlane) => {
  if (kind === "end") process.exit();
});

/** Containers can cause problems at will; the log gets so many a second, and how many it was spared. */
const problemsPerSecond = 5;
let problemSecond = 0;
let problemsTold = 0;

function tellProblem(problem: string): void {
  const second = Math.floor(performance.now() / 1000);
  if (second !== problemSecond) {
    const spared = problemsTold - problemsPerSecond;
    if (spared > 0) tell({ kind: "problem", problem: `${spared} more problems within one second` });
    problemSecond = second;
    problemsTold = 0;
  }
  problemsTold += 1;
  if (problemsTold <= problemsPerSecond) tell({ kind: "problem", problem });
}

async function start(): Promise<void> {
  const nothing = { topology: { networks: [], containers: [] }, guarded: [], services: [], quarantined: [] };
  // Before the first picture nothing is known of anybody.
  let readings: Readings = { ...allRead, listedAtMs: Number.NEGATIVE_INFINITY };
  let sandboxes: Sandboxes | undefined;
  const presence = createPresence(
    (sandbox) => sandboxes?.addressesOf(sandbox),
    monotonicMs,
    createTrailing(betweenStrangersMs, () => refresh()),
  );
  const knowledgeOf = (picture: Picture): Knowledge =>
    new Knowledge(
      picture,
      () => readings,
      // Without sandboxes of our own, who has which address is told by the picture only.
      settings.sandboxFolder === undefined
        ? { ...presence, isInUse: () => true, holderOf: () => undefined }
        : presence,
    );
  let { topology }: { topology: Topology } = nothing;
  let knowledge = knowledgeOf(nothing);
  let index = new AskerIndex(nothing);
  let newcomers = new Newcomers(nothing, knowledge);
  const compiler = createListCompiler();
  const receive = createReceiver();
  let { prefixes: ownAddresses, all: hostAddresses } = readOwnAddresses();
  let subnetsById: ReadonlyMap<string, readonly Prefix[]> = new Map();
  let lookups: LookupEvent[] = [];
  const freshAddresses: IpAddress[] = [];

  /** Whoever may be in a sandbox that the engine has not told of, and of whom it matters, is read again. */
  let namesMatter = false;
  const refreshSoon = createTrailing(refreshEveryMs, () => {
    const concerned = new Set([...index.concerned(), ...newcomers.concerned()]);
    const suspects = topology.containers.filter(
      (each) => (namesMatter || concerned.has(each.id)) && knowledge.isAway(each),
    );
    namesMatter = false;
    tell({ kind: "refresh", suspects: suspects.map(({ id }) => id) });
  });
  const refresh = (what: "asker" | "name" = "asker"): void => {
    namesMatter ||= what === "name";
    refreshSoon();
  };
  /** One at a time: every reading that ends asks for the next one, whoever asked for it. */
  let askingAgain: NodeJS.Timeout | undefined;
  const askAgain = (): void => {
    if (askingAgain !== undefined) return;
    askingAgain = setTimeout(() => {
      askingAgain = undefined;
      refreshSoon();
    }, doubtAgainMs);
  };
  /** Those that the engine has not told of. */
  const untold = new Set<string>();

  /** Each walk over the tracked flows takes the kernel 10 ms; the control plane has them, and one for many. */
  const own = (address: IpAddress, sandbox: string): void => {
    presence.holds(sandbox, address);
    if (admission.own(address, sandbox) && freshAddresses.push(address) === 1) setImmediate(tellFresh);
  };

  const isLive = (sandbox: string): boolean => sandboxes?.addressesOf(sandbox) !== undefined;
  const tellLookups = (): void => {
    if (lookups.length === 0) return;
    tell({ kind: "lookups", events: lookups });
    lookups = [];
  };

  const tellFresh = (): void => tell({ kind: "fresh-addresses", addresses: freshAddresses.splice(0) });

  const sets = openKernelSets();
  const admission = startAdmission({ sets, nowMs: monotonicMs });
  /** Sandboxes of which it is not certain that they need nothing done about them. */
  const doubtful = new Set<string>();
  const readiness = createReadiness();
  const nobody: ReadonlySet<string> = new Set();
  const standings =
    settings.sandboxFolder === undefined
      ? undefined
      : createStandings({
          sets,
          readiness,
          guardPorts: settings.guardPorts,
          indexNow: () => index,
          newcomersNow: () => newcomers,
          meet(sandbox, addresses) {
            if (presence.appeared(sandbox)) untold.add(sandbox);
            return { ...knowledge.ofSandbox(sandbox, addresses), sandbox };
          },
          // Before it asks anything, it is known then whether it may have a label that nobody has told of.
          hearOf(asker) {
            if (knowledge.isUnheard(asker)) refresh();
          },
          doubt(sandbox, isIn) {
            if (!isIn) doubtful.delete(sandbox);
            else if (doubtful.size < doubtful.add(sandbox).size) refresh();
          },
          nowMs: monotonicMs,
          listedAtMs: () => readings.listedAtMs,
          own,
          holdersOf: (address) => sandboxes?.holdersOf(address) ?? nobody,
          isHosts: (address) => hostAddresses.has(address),
          cutInside: (sandbox, cut) => sandboxes?.cutInside(sandbox, cut),
          isCutInside: (sandbox) => sandboxes?.isCutInside(sandbox) === true,
          isComplete: () => sandboxes?.isComplete() === true,
          isUnheard: (asker) => knowledge.isUnheard(asker),
          onChange: (sandbox) => sandboxes?.judge(sandbox),
          onProblem: tellProblem,
        });
  // A thread that ends leaves its descriptors to its process.
  process.once("exit", () => standings?.close());
  const answerer = createAnswerer({
    settings,
    admission,
    indexNow: () => index,
    ownAddresses: () => ownAddresses,
    onLookup: (event) => lookups.push(event),
    onProblem: tellProblem,
    onUnknown: refresh,
    mayHaveCome: () =>
      sandboxes === undefined || [...untold].some((sandbox) => knowledge.mayBeNamedOtherwise(sandbox)),
  });
  startQueue({
    number: settings.queueNumber,
    readiness,
    admission,
    indexNow: () => index,
    onProblem: tellProblem,
  });

  const hostListeners = await listenOnHost({
    port: settings.dnsPort,
    handler: (message, client, reply) => answerer.fromHost(message, "udp", client, reply),
    onProblem: tellProblem,
  });
  const connections = new ConnectionPool(hostConnections);
  for (const family of [4, 6] as const) {
    const at = { address: anyAddress(family), port: settings.dnsPort };
    const handler: DnsHandler = (message, client, reply) => answerer.fromHost(message, "tcp", client, reply);
    await listenTcp(at, handler, {}, { pool: connections, onProblem: tellProblem });
  }

  /** Captures what is not captured yet, and takes in which ports there are; done when it returns. */
  function lookNow(): void {
    sandboxes?.captureNow();
    standings?.lookNow();
  }

  let unsettled: UnsettledQueue | undefined;
  /** Whatever is known by now is in the kernel before anything waits. */
  function holdUnsettled(): void {
    if (standings === undefined || unsettled !== undefined || !settings.holdUnsettled) return;
    standings.settlePorts();
    lookNow();
    sandboxes?.reclassify();
    unsettled = startUnsettledQueue({
      queueNumber: settings.queueNumber,
      readiness,
      lookNow,
      stateOf: standings.stateOfPort,
      onUnknown: refresh,
      onProblem: tellProblem,
      nowMs: monotonicMs,
    });
    const stay = (): void => standings.stayAwake(awakeSeconds * 1000);
    stay();
    setInterval(() => contain(stay, (error) => tellProblem(messageOf(error))), awakeEveryMs);
  }

  let knowsPicture = false;
  const lates = new LateCaptures();
  let endEngineQuestions: ReturnType<typeof startEngineQuestions> = () => undefined;
  if (settings.sandboxFolder !== undefined && standings !== undefined) {
    // Before anything is captured: from here on what was asked before it cannot leave any more.
    const engine = watchEngineProcess();
    endEngineQuestions = startEngineQuestions({
      queueNumber: settings.queueNumber,
      queueFd: settings.engineQueueFd ?? holdEngineQuestions(settings.queueNumber, sets),
      readiness,
      sets,
      lates,
      captureNow: lookNow,
      mayBeEngines: engine.maySend,
      isEngineIdle: engine.isIdle,
      onUnknown: refresh,
      onProblem: tellProblem,
    });
    // The queue would take the host's own questions along.
    process.once("exit", () => endEngineQuestions("drop"));
    sandboxes = createSandboxes({
      folder: settings.sandboxFolder,
      readiness,
      onAppear: standings.appear,
      standingOf: (found, sandbox) => standings.of(sandbox, found),
      isTold: (sandbox) => knowledge.isTold(sandbox),
      onQuery: ({ sandbox, ...question }, standing) => {
        // Who asks in a sandbox is there: its addresses are its own before anything is granted to them, even
        // while the engine has not told yet that their earlier holder is gone.
        for (const address of membershipsOf(standing()).flatMap((membership) => membership.addresses))
          own(address, sandbox);
        answerer.answer({ ...question, standing });
      },
      onGone(sandbox) {
        lates.remove(sandbox, performance.now());
        standings.gone(sandbox);
        doubtful.delete(sandbox);
        untold.delete(sandbox);
        presence.gone(sandbox);
      },
      onLate: (sandbox, late) => lates.add(sandbox, late, performance.now()),
      onUnseen: (fate) => lates.addUnseen(fate, performance.now()),
      onStranger: ({ message, transport, reply }) => answerer.fail(message, transport, reply),
      onUnknown: () => refresh(),
      onAddressLost: (address, sandbox) => {
        presence.lost(sandbox, address);
        admission.disown(address, sandbox);
      },
      onChange: (captured, problem) => tell({ kind: "sandboxes", captured, problem }),
      onProblem: tellProblem,
    });
    // A start that fails leaves nobody without a resolver who had one before it.
    process.once("exit", () => {
      if (!knowsPicture) sandboxes?.giveBack();
    });
  }

  async function examine(): Promise<DataPlaneFindings> {
    const [upstream, probed = []] = await Promise.all([
      answerer.probeUpstream(),
      sandboxes?.probe(canaryQuery()),
    ]);
    return {
      upstream,
      sandboxes: probed.map(({ addresses, answer }) => ({ addresses, captured: isOurDenial(answer) })),
    };
  }

  function usePicture(picture: Picture): void {
    knowsPicture = true;
    ({ topology } = picture);
    knowledge = knowledgeOf(picture);
    index = new AskerIndex(picture, compiler.compile, knowledge);
    newcomers = new Newcomers(picture, knowledge, newcomers, isLive);
    for (const sandbox of untold) if (knowledge.isTold(sandbox)) untold.delete(sandbox);
    subnetsById = new Map(picture.guarded.map(({ id, subnets }) => [id, subnets]));
    compiler.retain(
      new Set([...picture.guarded, ...picture.services].flatMap(({ lists }) => lists.map(({ id }) => id))),
    );
    if (settings.sandboxFolder === undefined) ownByPicture(picture.topology);
    // What is no longer allowed must find no door that is still open, so flows come after the sets.
    admission.rejudge(
      {
        epoch: epochOf(picture),
        keyOf: (asker) => index.policyKey(asker),
        membershipsOf: (asker) => membershipsOf(index.standingOfSource(asker)),
      },
      cutFlows,
    );
    sandboxes?.reclassify();
    unsettled?.judge();
    standings?.retain(isLive);
    hostListeners.follow(bridgesOf(picture));
    answerer.useTopology(picture.topology, picture.guarded);
  }

  /** Without sandboxes of our own nobody else tells who has which address. */
  function ownByPicture({ containers }: Topology): void {
    for (const { sandbox, endpoints } of containers) {
      if (sandbox === undefined) continue;
      for (const address of endpoints.flatMap(({ addresses }) => addresses)) own(address, sandbox);
    }
  }

  /** Flows among neighbours and to the host itself are judged by other rules, and audit lets all pass. */
  function isFlowAllowed({ stamped, ...packet }: FlowHead): boolean {
    const memberships = membershipsOf(index.standingOfSource(packet.source));
    const { destination } = packet;
    const isOnLink = memberships.some(({ networkId }) =>
      (subnetsById.get(networkId) ?? []).some((subnet) => prefixContains(subnet, destination)),
    );
    const isHost = ownAddresses.some((own) => prefixContains(own, destination));
    if (isOnLink || isHost || (!stamped && memberships.some(({ labels }) => labels.mode === "audit")))
      return true;
    return admission.verdict(packet, memberships).allowed;
  }

  function cutFlows(askers: ReadonlySet<IpAddress>): void {
    const count = forgetUnless(askers, isFlowAllowed);
    if (count > 0)
      tell({ kind: "problem", problem: `${count} open flows are no longer allowed and were cut` });
  }

  function useReadings(posted: Extract<ToDataPlane, { kind: "readings" }>): void {
    const ids = new Set(topology.containers.map(({ id }) => id));
    readings = withReadings(readings, posted, (id) => ids.has(id));
    if (doubtful.size > 0) sandboxes?.reclassify();
    unsettled?.judge();
    answerer.reconsider();
  }

  const answer = (message: ToDataPlane): void | Promise<void> => {
    switch (message.kind) {
      case "topology":
        usePicture(receive(message));
        done(message);
        break;
      case "readings":
        useReadings(message);
        break;
      case "upstreams":
        answerer.useUpstreams(message.upstreams);
        break;
      case "refreshed":
        if (doubtful.size > 0) askAgain();
        answerer.refreshed();
        break;
      case "hold-unsettled":
        holdUnsettled();
        break;
      case "flush":
        tellLookups();
        done(message);
        break;
      case "examine":
        return examine().then((findings) =>
          tell({ kind: "examined", requestId: message.requestId, findings }),
        );
      case "explain": {
        const { requestId, addresses, target } = message;
        const standing = index.standingOf(addresses);
        return explain({ admission, answerer, standing, target, nowMs: monotonicMs() }).then((explanation) =>
          tell({ kind: "explained", requestId, explanation }),
        );
      }
      case "cut-off": {
        const { requestId, containerId } = message;
        const sandbox = index.sandboxOf(containerId);
        tell({
          kind: "is-cut-off",
          requestId,
          cutOff: sandbox !== undefined && standings?.isCutOff(sandbox) === true,
        });
        break;
      }
      case "take-left": {
        const askers = new Set(message.addresses);
        const rights = admission.takeLeft(message.rights, (asker) =>
          membershipsOf(index.standingOfSource(asker)),
        );
        const count = rights + forgetUnless(askers, isFlowAllowed);
        tell({ kind: "left-taken", requestId: message.requestId, count });
        break;
      }
      case "release-all":
        endEngineQuestions("accept");
        unsettled?.close();
        standings?.release();
        return Promise.resolve(sandboxes?.releaseAll()).then(() => done(message));
    }
  };
  port?.on("message", (message: ToDataPlane) => {
    contain(
      () => answer(message),
      (error) => {
        const problem = messageOf(error);
        if (!("requestId" in message)) {
          tellProblem(problem);
          return;
        }
        const code = error instanceof DockerwallError ? error.code : "INTERNAL";
        tell({ kind: "refused", requestId: message.requestId, code, message: problem });
      },
    );
  });
  let told = "";
  setInterval(() => {
    const now = { report: answerer.stats(), counters: readCounters() };
    const text = JSON.stringify(now);
    if (text !== told) tell({ kind: "resolver", ...now });
    told = text;
    tellLookups();
  }, journalEveryMs);
  setInterval(() => {
    contain(
      () => {
        ({ prefixes: ownAddresses, all: hostAddresses } = readOwnAddresses());
        admission.sweep();
      },
      (error) => tellProblem(messageOf(error)),
    );
  }, housekeepingEveryMs);
  if (standings !== undefined) setInterval(standings.heal, healPortsEveryMs);
  tell({ kind: "ready" });
}

/** Runs at once, and then for all calls within `everyMs` together once more: what is asked for is always begun later. */
function createTrailing(everyMs: number, work: () => void): () => void {
  let ranAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    timer = undefined;
    ranAtMs = performance.now();
    work();
  };
  return () => {
    if (timer !== undefined) return;
    const leftMs = ranAtMs + everyMs - performance.now();
    if (leftMs <= 0) run();
    else timer = setTimeout(run, leftMs);
  };
}

/** Bridges of guarded networks. */
function bridgesOf({ topology, guarded }: Picture): string[] {
  const ids = new Set(guarded.map(({ id }) => id));
  return topology.networks.flatMap(({ id, bridge }) => (ids.has(id) && bridge !== undefined ? [bridge] : []));
}

function membershipsOf(standing: Standing): readonly Membership[] {
  return standing.kind === "guarded" ? standing.memberships : [];
}

/** The host's addresses: an answer that names one of them opens nothing. */
function readOwnAddresses(): { readonly prefixes: readonly Prefix[]; readonly all: ReadonlySet<IpAddress> } {
  const addresses = listHostAddresses();
  return { prefixes: addresses.map(hostPrefix), all: new Set(addresses) };
}

start().catch((error: unknown) => {
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  tell({ kind: "failed", code, message: messageOf(error) });
});
