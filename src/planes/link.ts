// The control plane's end of the data plane: starts the worker thread, numbers and acknowledges pictures, and fails
// loudly if the worker does (the daemon then ends and is restarted; the kernel keeps the wall up).

import { Worker } from "node:worker_threads";
import type { CounterReading } from "../core/counters/reading.ts";
import type { FreshAddress } from "../core/journal/holders.ts";
import type { LookupEvent } from "../core/journal/lookup-event.ts";
import type { Picture } from "../core/model/picture.ts";
import type { ResolverReport } from "../core/model/report/status.ts";
import type { Readings } from "../core/model/topology.ts";
import type { Upstream } from "../core/model/upstream.ts";
import type { OpenQueue } from "../core/queued-packet.ts";
import type { DataPlaneSettings, HostPort } from "./messages.ts";
import { createPoster, createReadingsPoster } from "./picture.ts";
import { type ArgumentsOf, type RequestMethods, type RequestName, requestNames } from "./request-table.ts";
import type { Requests } from "./requests.ts";
import { DataPlaneThread, type Report } from "./thread.ts";

export interface DataPlaneEvents {
  /** It listens on the host, before it is ready: rules are to lead there. */
  readonly onListening: (place: HostPort) => void;
  readonly onLookups: (events: readonly LookupEvent[]) => void;
  /** New containers have got these addresses. */
  readonly onFreshAddresses: (addresses: readonly FreshAddress[]) => void;
  /** The engine is to be read, these containers in any case. @param number for refreshed(); greater each time */
  readonly onRefresh: (suspects: readonly string[], number: number) => void;
  /** The rules must look through more parts of sets than the first. */
  readonly onSecondPart: () => void;
  readonly onSandboxes: (captured: number, problem: string | undefined, isOurs: boolean) => void;
  readonly onForeignInterfaces: (sentences: readonly string[]) => void;
  readonly onResolver: (report: ResolverReport, counters: readonly CounterReading[]) => void;
  readonly onProblem: (problem: string) => void;
  /** The worker is gone; nothing more will come, and every request fails. May be called before the start is over. */
  readonly onDeath: (error: Error) => void;
}

/** What can be asked of the data plane (request-table.ts), and what it is told. */
export interface DataPlaneLink extends Omit<RequestMethods, "post">, AsyncDisposable {
  /** Resolves when the data plane decides by this picture. @throws when it cannot */
  post(picture: Picture): Promise<void>;
  /** Tells how far the picture that was posted last is known to be true. */
  tellReadings(readings: Readings): void;
  /** What comes by ports of which it is not known whose they are waits from now on: the rules know its mark. */
  holdUnsettled(): void;
  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void;
  /** Tells that the engine has been read as `onRefresh` demanded, or that it could not be. */
  refreshed(number: number, wasRead: boolean): void;
  /** Ends the worker thread, which must be gone before the main thread is (src/edge/kernel/readiness.ts). */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * What is new is collected when it has so many MB. V8 would take 48, and what was touched once stays with the process:
 * after 20,000 fresh names 255 MB in all, with this 180 for 8 % of a lookup's CPU. With half of it, more survives by
 * chance: 215 MB, and 22 %.
 */
const youngGenerationMb = 12;

/**
 * Resolves when the data plane listens.
 * @param handOver called as soon as it can decide on questions of the engine, which nobody else may from then on; a busy
 *   host starts the thread for seconds, and those of the host's own that wait meanwhile run out
 * @throws what kept it from starting
 */
export async function startDataPlane(
  settings: DataPlaneSettings,
  events: DataPlaneEvents,
  handOver: () => OpenQueue | undefined = () => undefined,
): Promise<DataPlaneLink> {
  // Run from source by a loader, or compiled: the worker has the extension that this file has.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`../data/worker.${extension}`, import.meta.url), {
    workerData: settings,
    trackUnmanagedFds: false,
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  });
  const { onProblem, onDeath } = events;
  const thread = new DataPlaneThread(worker, {
    onReport: (report) => {
      if (report.kind === "takes-questions") thread.post({ kind: "questions", queue: handOver() });
      else tell(report, events);
    },
    onProblem,
    onDeath,
  });
  await thread.ready();
  return createLink(thread);
}

function tell(report: Exclude<Report, { kind: "takes-questions" }>, events: DataPlaneEvents): void {
  switch (report.kind) {
    case "listens":
      events.onListening(report);
      break;
    case "lookups":
      events.onLookups(report.events);
      break;
    case "fresh-addresses":
      events.onFreshAddresses(report.addresses);
      break;
    case "refresh":
      events.onRefresh(report.suspects, report.number);
      break;
    case "second-part":
      events.onSecondPart();
      break;
    case "sandboxes":
      events.onSandboxes(report.captured, report.problem, report.isOurs);
      break;
    case "foreign-interfaces":
      events.onForeignInterfaces(report.sentences);
      break;
    case "resolver":
      events.onResolver(report.report, report.counters);
      break;
    case "problem":
      events.onProblem(report.problem);
      break;
  }
}

/** What can be asked of the thread, as messages. */
function createLink(thread: DataPlaneThread): DataPlaneLink {
  const methods = requestMethods(thread.requests);
  return {
    ...methods,
    // What cannot be posted is rejected, as what is refused is.
    post: createPoster(methods.post),
    tellReadings: createReadingsPoster((readings) => thread.post({ kind: "readings", ...readings })),
    holdUnsettled: () => thread.post({ kind: "hold-unsettled" }),
    useUpstreams: (upstreams) => thread.post({ kind: "upstreams", upstreams }),
    refreshed: (number, wasRead) => thread.post({ kind: "refreshed", number, wasRead }),
    [Symbol.asyncDispose]: () => thread.end(),
  };
}

function requestMethods(requests: Requests): RequestMethods {
  const methods = requestNames.map((name) => [
    name,
    (...asked: ArgumentsOf<RequestName>) => requests.ask(name, asked),
  ]);
  return Object.fromEntries(methods) as RequestMethods;
}
