// The data plane: one worker thread that owns the DNS sockets, the decision and the grants. It decides by the
// last picture that the control plane posted, tells it in batches what happened, and never waits for it.

import { parentPort, workerData } from "node:worker_threads";
import { startAdmission } from "./admission.ts";
import { createAnswerer } from "./answerer.ts";
import { AskerIndex, type Membership, type Standing } from "./dns/asker.ts";
import { canaryQuery, isOurDenial } from "./dns/canary.ts";
import { Newcomers } from "./dns/newcomers.ts";
import { createDoubts } from "./doubts.ts";
import { DockerwallError, messageOf } from "./errors.ts";
import { explain } from "./explain.ts";
import { listenUdp } from "./io/dns-listener.ts";
import { listenTcp } from "./io/dns-listener-tcp.ts";
import { listHostAddresses } from "./io/host-addresses.ts";
import { openKernelSets } from "./io/ipset.ts";
import { createReadiness } from "./io/readiness.ts";
import { createSandboxes, type Sandboxes } from "./io/sandboxes.ts";
import { forgetUnless } from "./io/stamped-flows.ts";
import { anyAddress, hostPrefix, type IpAddress, type Prefix } from "./model/address.ts";
import type {
  DataPlaneFindings,
  DataPlaneSettings,
  FromDataPlane,
  LookupEvent,
  ToDataPlane,
} from "./model/planes.ts";
import type { Topology } from "./model/topology.ts";
import { createReceiver, epochOf, type Picture } from "./picture-post.ts";
import { createListCompiler } from "./policy/entry-list.ts";
import { startQueue } from "./queue.ts";
import { createStandings } from "./sandbox-standing.ts";

/** How long lookups are gathered before the control plane hears of them. */
const journalEveryMs = 200;
/** A request for a new picture is not repeated within this time. */
const refreshEveryMs = 100;
/** How often what hangs on ports is compared, where the kernel does not keep others from it. */
const healPortsEveryMs = 5_000;
/** How often the host's own addresses are read again, and run-out grants forgotten. */
const housekeepingEveryMs = 30_000;

const port = parentPort;
if (port === null) throw new DockerwallError("INTERNAL", "data-plane.ts runs as a worker thread only");
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
  let index = new AskerIndex(nothing);
  let newcomers = new Newcomers(nothing);
  const compiler = createListCompiler();
  const receive = createReceiver();
  let ownAddresses = readOwnAddresses();
  let lookups: LookupEvent[] = [];
  const freshAddresses: IpAddress[] = [];
  let refreshedAtMs = Number.NEGATIVE_INFINITY;
  let sandboxes: Sandboxes | undefined;

  const refresh = (): void => {
    const nowMs = performance.now();
    if (nowMs - refreshedAtMs < refreshEveryMs) return;
    refreshedAtMs = nowMs;
    tell({ kind: "refresh" });
  };

  /** Each walk over the tracked flows takes the kernel 10 ms; the control plane has them, and one for many. */
  const own = (address: IpAddress, sandbox: string): void => {
    if (admission.own(address, sandbox) && freshAddresses.push(address) === 1) setImmediate(tellFresh);
  };

  /** While the first sandboxes are listed, nobody is known to have anything. */
  const addressesNow = (sandbox: string): readonly IpAddress[] => sandboxes?.addressesOf(sandbox) ?? [];
  const isLive = (sandbox: string): boolean => sandboxes?.addressesOf(sandbox) !== undefined;
  const tellLookups = (): void => {
    if (lookups.length === 0) return;
    tell({ kind: "lookups", events: lookups });
    lookups = [];
  };

  const tellFresh = (): void => tell({ kind: "fresh-addresses", addresses: freshAddresses.splice(0) });

  const sets = openKernelSets();
  const admission = startAdmission({ sets, nowMs: Date.now });
  const doubts = createDoubts(() => tell({ kind: "refresh" }));
  const readiness = createReadiness();
  const nobody: ReadonlySet<string> = new Set();
  const standings =
    settings.sandboxFolder === undefined
      ? undefined
      : createStandings({
          sets,
          readiness,
          guardPorts: settings.guardPorts,
          doubts,
          indexNow: () => index,
          newcomersNow: () => newcomers,
          own,
          addressesNow,
          holdersOf: (address) => sandboxes?.holdersOf(address) ?? nobody,
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
  });
  startQueue({
    number: settings.queueNumber,
    readiness,
    admission,
    indexNow: () => index,
    onProblem: tellProblem,
  });

  for (const family of [4, 6] as const) {
    const at = { address: anyAddress(family), port: settings.dnsPort };
    await listenUdp(at, (message, client, reply) => answerer.fromHost(message, "udp", client, reply));
    await listenTcp(at, (message, client, reply) => answerer.fromHost(message, "tcp", client, reply));
  }

  if (settings.sandboxFolder !== undefined && standings !== undefined) {
    sandboxes = createSandboxes({
      folder: settings.sandboxFolder,
      readiness,
      onAppear: standings.appear,
      standingOf: (addresses, sandbox) => standings.of(sandbox, addresses),
      isTold: (sandbox) => newcomers.isTold(sandbox),
      onQuery: ({ sandbox, ...question }, standing) => {
        // Who asks in a sandbox is there: its addresses are its own before anything is granted to them, even
        // while the engine has not told yet that their earlier holder is gone.
        for (const address of membershipsOf(standing()).flatMap((membership) => membership.addresses))
          own(address, sandbox);
        answerer.answer({ ...question, standing });
      },
      onGone: standings.gone,
      onStranger: ({ message, transport, reply }) => answerer.fail(message, transport, reply),
      onUnknown: refresh,
      onAddressLost: (address, sandbox) => admission.disown(address, sandbox),
      onChange: (captured, problem) => tell({ kind: "sandboxes", captured, problem }),
      onProblem: tellProblem,
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
    index = new AskerIndex(picture, compiler.compile);
    newcomers = new Newcomers(picture, newcomers, isLive);
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
    standings?.retain(isLive);
    answerer.useTopology(picture.topology, picture.guarded);
  }

  /** Without sandboxes of our own nobody else tells who has which address. */
  function ownByPicture({ containers }: Topology): void {
    for (const { sandbox, endpoints } of containers) {
      if (sandbox === undefined) continue;
      for (const address of endpoints.flatMap(({ addresses }) => addresses)) own(address, sandbox);
    }
  }

  function cutFlows(askers: ReadonlySet<IpAddress>): void {
    const count = forgetUnless(
      askers,
      (packet) => admission.verdict(packet, membershipsOf(index.standingOfSource(packet.source))).allowed,
    );
    if (count > 0)
      tell({ kind: "problem", problem: `${count} open flows are no longer allowed and were cut` });
  }

  port?.on("message", (message: ToDataPlane) => {
    switch (message.kind) {
      case "topology":
        usePicture(receive(message));
        done(message);
        break;
      case "upstreams":
        answerer.useUpstreams(message.upstreams);
        break;
      case "refreshed":
        if (doubts.told()) sandboxes?.reclassify();
        answerer.refreshed();
        break;
      case "flush":
        tellLookups();
        done(message);
        break;
      case "examine": {
        const { requestId } = message;
        void examine().then((findings) => tell({ kind: "examined", requestId, findings }));
        break;
      }
      case "explain": {
        const { requestId, addresses, target } = message;
        const standing = index.standingOf(addresses);
        void explain({ admission, answerer, standing, target, nowMs: Date.now() }).then((explanation) =>
          tell({ kind: "explained", requestId, explanation }),
        );
        break;
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
      case "release-all":
        standings?.release();
        void Promise.resolve(sandboxes?.releaseAll()).then(() => done(message));
        break;
    }
  });
  let told = "";
  setInterval(() => {
    const report = answerer.stats();
    const text = JSON.stringify(report);
    if (text !== told) tell({ kind: "resolver", report });
    told = text;
    tellLookups();
  }, journalEveryMs);
  setInterval(() => {
    ownAddresses = readOwnAddresses();
    admission.sweep();
  }, housekeepingEveryMs);
  if (standings !== undefined) setInterval(standings.heal, healPortsEveryMs);
  tell({ kind: "ready" });
}

function membershipsOf(standing: Standing): readonly Membership[] {
  return standing.kind === "guarded" ? standing.memberships : [];
}

/** The host's addresses: an answer that names one of them opens nothing. */
function readOwnAddresses(): readonly Prefix[] {
  return listHostAddresses().map(hostPrefix);
}

start().catch((error: unknown) => {
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  tell({ kind: "failed", code, message: messageOf(error) });
});
