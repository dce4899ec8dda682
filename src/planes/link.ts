// The control plane's end of the data plane: starts the worker thread, numbers and acknowledges pictures, and fails
// loudly if the worker does (the daemon then ends and is restarted; the kernel keeps the wall up).

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { contain } from "../core/contain.ts";
import type { CounterReading } from "../core/counters/reading.ts";
import type { KernelRight } from "../core/grants/entry-index.ts";
import type { LookupEvent } from "../core/journal/lookup-event.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { Explanation } from "../core/model/explanation.ts";
import type { Picture } from "../core/model/picture.ts";
import type { ResolverReport } from "../core/model/report.ts";
import type { Readings } from "../core/model/topology.ts";
import type { Upstream } from "../core/model/upstream.ts";
import type { ExplainTarget } from "../core/policy/target.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { DataPlaneFindings, DataPlaneSettings, FromDataPlane, ToDataPlane } from "./messages.ts";
import { createPoster, createReadingsPoster } from "./picture.ts";

export interface DataPlaneEvents {
  readonly onLookups: (events: readonly LookupEvent[]) => void;
  /** Somebody new has got these addresses. */
  readonly onFreshAddresses: (addresses: readonly IpAddress[]) => void;
  /** The engine is to be read, these containers in any case. */
  readonly onRefresh: (suspects: readonly string[]) => void;
  readonly onSandboxes: (captured: number, problem: string | undefined) => void;
  readonly onResolver: (report: ResolverReport, counters: readonly CounterReading[]) => void;
  readonly onProblem: (problem: string) => void;
  /** The worker is gone; nothing more will come. */
  readonly onDeath: (error: Error) => void;
}

/** What settles a request that waits. */
type Answer = Extract<FromDataPlane, { readonly requestId: number }>;

export interface DataPlaneLink extends AsyncDisposable {
  /** Resolves when the data plane decides by this picture. @throws when it cannot */
  post(picture: Picture): Promise<void>;
  /** Tells how far the picture that was posted last is known to be true. */
  tellReadings(readings: Readings): void;
  /** What comes by ports of which it is not known whose they are waits from now on: the rules know its mark. */
  holdUnsettled(): void;
  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void;
  /** Tells that the engine has been read as `onRefresh` demanded. */
  refreshed(): void;
  /** Resolves when `onLookups` has been told of every lookup that was answered before. */
  flush(): Promise<void>;
  /** Examines itself by behaviour. */
  examine(): Promise<DataPlaneFindings>;
  /** What would be done with a target, asked for by the container at these addresses. */
  explain(addresses: readonly IpAddress[], target: ExplainTarget): Promise<Explanation>;
  /** Whether nothing comes in or goes out by any port of a container, read from the kernel. */
  isCutOff(containerId: string): Promise<boolean>;
  /**
   * Takes from these addresses what is not allowed of the rights that the kernel was seen to hold, and of open flows.
   * @returns how many there were: none when a change of policy was in force before
   */
  takeLeft(addresses: readonly IpAddress[], rights: readonly KernelRight[]): Promise<number>;
  /** Gives every sandbox back to Docker's own resolver. */
  releaseAll(): Promise<void>;
  /** Ends the worker thread, which must be gone before the main thread is (src/edge/kernel/readiness.ts). */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Resolves when the data plane listens. @throws what kept it from starting. */
export async function startDataPlane(
  settings: DataPlaneSettings,
  events: DataPlaneEvents,
): Promise<DataPlaneLink> {
  // Run from source by a loader, or compiled: the worker has the extension that this file has.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`../data/worker.${extension}`, import.meta.url), {
    workerData: settings,
    trackUnmanagedFds: false,
  });
  const poster = createPoster();
  const readingsPoster = createReadingsPoster();
  const pending = new Map<number, (answer: Answer) => void>();
  let requestId = 0;

  const ready = Promise.withResolvers<void>();
  let started = false;
  let ended = false;
  // What one message asks for may fail; the next one is taken all the same.
  worker.on("message", (message: FromDataPlane) =>
    contain(
      () => take(message),
      (error) => events.onProblem(`message ${message.kind}: ${messageOf(error)}`),
    ),
  );
  worker.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on("exit", (code) => {
    const expected = ended;
    ended = true;
    if (!expected) fail(new DockerwallError("INTERNAL", `the data plane ended with exit code ${code}`));
  });

  function take(message: FromDataPlane): void {
    switch (message.kind) {
      case "ready":
        started = true;
        ready.resolve();
        break;
      case "done":
      case "refused":
      case "examined":
      case "explained":
      case "is-cut-off":
      case "left-taken":
        pending.get(message.requestId)?.(message);
        pending.delete(message.requestId);
        break;
      case "lookups":
        events.onLookups(message.events);
        break;
      case "fresh-addresses":
        events.onFreshAddresses(message.addresses);
        break;
      case "refresh":
        events.onRefresh(message.suspects);
        break;
      case "sandboxes":
        events.onSandboxes(message.captured, message.problem);
        break;
      case "resolver":
        events.onResolver(message.report, message.counters);
        break;
      case "problem":
        events.onProblem(message.problem);
        break;
      case "failed":
        fail(new DockerwallError(message.code, message.message));
        break;
    }
  }

  function fail(error: Error): void {
    if (started) events.onDeath(error);
    else void close().then(() => ready.reject(error));
  }

  async function close(): Promise<void> {
    if (ended) return;
    ended = true;
    worker.postMessage({ kind: "end" } satisfies ToDataPlane);
    await once(worker, "exit");
  }

  async function request(numbered: (requestId: number) => ToDataPlane): Promise<Answer> {
    requestId += 1;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    pending.set(requestId, resolve);
    worker.postMessage(numbered(requestId));
    const answer = await promise;
    if (answer.kind === "refused") throw new DockerwallError(answer.code, answer.message);
    return answer;
  }

  await ready.promise;
  return {
    async post(picture) {
      await request((requestId) => ({ kind: "topology", requestId, ...poster(picture) }));
    },
    tellReadings(readings) {
      worker.postMessage({ kind: "readings", ...readingsPoster(readings) } satisfies ToDataPlane);
    },
    holdUnsettled() {
      worker.postMessage({ kind: "hold-unsettled" } satisfies ToDataPlane);
    },
    useUpstreams(upstreams) {
      worker.postMessage({ kind: "upstreams", upstreams } satisfies ToDataPlane);
    },
    refreshed() {
      worker.postMessage({ kind: "refreshed" } satisfies ToDataPlane);
    },
    async flush() {
      await request((requestId) => ({ kind: "flush", requestId }));
    },
    async examine() {
      const answer = await request((requestId) => ({ kind: "examine", requestId }));
      if (answer.kind === "examined") return answer.findings;
      throw new DockerwallError("INTERNAL", "the data plane examined itself and returned no findings");
    },
    async explain(addresses, target) {
      const answer = await request((requestId) => ({ kind: "explain", requestId, addresses, target }));
      if (answer.kind === "explained") return answer.explanation;
      throw new DockerwallError("INTERNAL", "the data plane was asked for an explanation and returned none");
    },
    async isCutOff(containerId) {
      const answer = await request((requestId) => ({ kind: "cut-off", requestId, containerId }));
      return answer.kind === "is-cut-off" && answer.cutOff;
    },
    async takeLeft(addresses, rights) {
      const answer = await request((requestId) => ({ kind: "take-left", requestId, addresses, rights }));
      if (answer.kind === "left-taken") return answer.count;
      throw new DockerwallError("INTERNAL", "the data plane was asked what is left and returned no answer");
    },
    async releaseAll() {
      await request((requestId) => ({ kind: "release-all", requestId }));
    },
    [Symbol.asyncDispose]: close,
  };
}
