// The data plane: one worker thread that owns the DNS sockets, the decision and the grants. It decides by the
// last picture that the control plane posted, tells it in batches what happened, and never waits for it.

import { networkInterfaces } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { startAdmission } from "./admission.ts";
import { createAnswerer } from "./answerer.ts";
import { AskerIndex } from "./dns/asker.ts";
import { canaryQuery, isOurDenial } from "./dns/canary.ts";
import { DockerwallError, messageOf } from "./errors.ts";
import { listenUdp } from "./io/dns-listener.ts";
import { listenTcp } from "./io/dns-listener-tcp.ts";
import { openKernelSets } from "./io/ipset.ts";
import { createReadiness } from "./io/readiness.ts";
import { createSandboxes, type Sandboxes } from "./io/sandboxes.ts";
import { anyAddress, type IpAddress, type Prefix, parseAddress } from "./model/address.ts";
import type {
  DataPlaneFindings,
  DataPlaneSettings,
  FromDataPlane,
  LookupEvent,
  ToDataPlane,
} from "./model/planes.ts";
import { startQueue } from "./queue.ts";

/** How long lookups are gathered before the control plane hears of them. */
const journalEveryMs = 200;
/** A request for a new picture is not repeated within this time. */
const refreshEveryMs = 100;
/** How often the host's own addresses are read again, and run-out grants forgotten. */
const housekeepingEveryMs = 30_000;

const port = parentPort;
if (port === null) throw new DockerwallError("INTERNAL", "data-plane.ts runs as a worker thread only");
const settings = workerData as DataPlaneSettings;
const tell = (message: FromDataPlane): void => port.postMessage(message);
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
  let index = new AskerIndex({
    topology: { networks: [], containers: [] },
    guarded: [],
    services: [],
    quarantined: [],
  });
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

  const tellFresh = (): void => tell({ kind: "fresh-addresses", addresses: freshAddresses.splice(0) });

  const admission = startAdmission({ sets: openKernelSets(), nowMs: Date.now });
  const answerer = createAnswerer({
    settings,
    admission,
    indexNow: () => index,
    ownAddresses: () => ownAddresses,
    onLookup: (event) => lookups.push(event),
    onProblem: tellProblem,
    onUnknown: refresh,
  });
  const readiness = createReadiness();
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

  if (settings.sandboxFolder !== undefined) {
    sandboxes = createSandboxes({
      folder: settings.sandboxFolder,
      readiness,
      standingOf: (addresses, sandbox) => index.standingOfSandbox(sandbox, addresses),
      onQuery: ({ sandbox, ...question }, standing) => {
        // Who asks in a sandbox is there: its addresses are its own before anything is granted to them, even
        // while the engine has not told yet that their earlier holder is gone.
        const now = standing();
        const memberships = now.kind === "guarded" ? now.memberships : [];
        for (const address of memberships.flatMap((membership) => membership.addresses))
          own(address, sandbox);
        answerer.answer({ ...question, standing });
      },
      onStranger: ({ message, transport, reply }) => answerer.fail(message, transport, reply),
      onUnknown: refresh,
      onAddress: (address, sandbox) => {
        if (index.mayOwn(sandbox, address)) own(address, sandbox);
      },
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

  port?.on("message", (message: ToDataPlane) => {
    switch (message.kind) {
      case "topology":
        index = new AskerIndex(message);
        sandboxes?.reclassify();
        answerer.useTopology(message.topology, message.guarded);
        tell({ kind: "topology-applied", revision: message.revision });
        break;
      case "upstreams":
        answerer.useUpstreams(message.upstreams);
        break;
      case "refreshed":
        answerer.refreshed();
        break;
      case "examine": {
        const { requestId } = message;
        void examine().then((findings) => tell({ kind: "examined", requestId, findings }));
        break;
      }
      case "release-all": {
        const { requestId } = message;
        void Promise.resolve(sandboxes?.releaseAll()).then(() => tell({ kind: "released-all", requestId }));
        break;
      }
    }
  });
  let told = "";
  setInterval(() => {
    const report = answerer.stats();
    const text = JSON.stringify(report);
    if (text !== told) tell({ kind: "resolver", report });
    told = text;
    if (lookups.length === 0) return;
    tell({ kind: "lookups", events: lookups });
    lookups = [];
  }, journalEveryMs);
  setInterval(() => {
    ownAddresses = readOwnAddresses();
    admission.sweep();
  }, housekeepingEveryMs);
  tell({ kind: "ready" });
}

/** The host's addresses: an answer that names one of them opens nothing. */
function readOwnAddresses(): readonly Prefix[] {
  return Object.values(networkInterfaces()).flatMap((entries = []) =>
    entries.flatMap(({ address, family }) => {
      const parsed = parseAddress(address);
      return parsed === undefined ? [] : [{ address: parsed, length: family === "IPv4" ? 32 : 128 }];
    }),
  );
}

start().catch((error: unknown) => {
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  tell({ kind: "failed", code, message: messageOf(error) });
});
