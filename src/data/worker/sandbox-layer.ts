// Layer 2: the engine's sandboxes, captured as they appear, with all that waits until it is known where they stand.

import { LateCaptures } from "../../core/askers/late-captures.ts";
import { contain } from "../../core/contain.ts";
import type { Cut } from "../../core/cut.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Destination, Way } from "../../core/path/way.ts";
import type { OpenQueue } from "../../core/queued-packet.ts";
import { findDockerd } from "../../edge/engine/dockerd.ts";
import { type EngineProcess, watchEngineProcess } from "../../edge/engine/process.ts";
import { every } from "../../edge/host/every.ts";
import { awakeEveryMs, awakeSeconds, holdEngineQuestions } from "../../edge/kernel/flows/engine-queue.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { createSandboxes, type ProbedSandbox, type Sandboxes } from "../../edge/sandbox/sandboxes.ts";
import { problemsOf } from "../../errors.ts";
import type { Answerer } from "../answerer.ts";
import { startEngineQuestions } from "../packets/engine-questions.ts";
import { startUnsettledQueue, type UnsettledQueue } from "../packets/unsettled-queue.ts";
import type { Standings } from "../sandboxes/sandbox-standing.ts";
import { startStandings } from "../sandboxes/standing-sources.ts";
import type { BaseParts } from "./base-parts.ts";

/** How often what hangs on ports is compared, where the kernel does not keep others from it. */
const healPortsEveryMs = 5_000;

export class SandboxLayer {
  readonly #parts: BaseParts;
  readonly #folder: string;
  readonly #standings: Standings;
  readonly #lates = new LateCaptures();
  readonly #engineProcess: EngineProcess;
  #sandboxes: Sandboxes | undefined;
  #unsettled: UnsettledQueue | undefined;
  #knowsPicture = false;
  /** Whether packets from ports that are not settled wait. */
  #portsWait = false;
  #endEngineQuestions: (suspicious: "accept" | "drop") => void = () => undefined;

  /** Takes over what an earlier run left of ports; nothing is captured before begin(). */
  constructor(parts: BaseParts, folder: string) {
    this.#parts = parts;
    this.#folder = folder;
    this.#engineProcess = watchEngineProcess(() => findDockerd(parts.settings.dockerSocket));
    this.#standings = startStandings(parts, () => this.#sandboxes);
    process.once("exit", () => this.#end());
  }

  /** Captures what is there, and whatever appears from now on. */
  begin(answerer: Answerer, questions: OpenQueue | undefined): void {
    // Before anything is captured: from here on what was asked before it cannot leave any more.
    this.#beginEngineQuestions(questions);
    const sandboxes = this.#capture(answerer);
    this.#sandboxes = sandboxes;
    this.#standings.takeOverPorts();
    // While they were listed one after the other, each kept what an earlier run knew it by: some are gone.
    sandboxes.reclassify();
    every({
      everyMs: healPortsEveryMs,
      work: () => this.#standings.heal(),
      onFailure: this.#parts.telling.failure,
    });
  }

  /** The addresses that a sandbox has now; undefined when there is none of that name. */
  addressesOf(sandbox: string): ReturnType<Sandboxes["addressesOf"]> {
    return this.#sandboxes?.addressesOf(sandbox);
  }

  /** Judges a sandbox again: it may send from more of its addresses now. */
  judge(sandbox: string): void {
    this.#sandboxes?.judge([sandbox]);
  }

  /** Whether a container may have come whose names are not known. */
  mayHaveCome(): boolean {
    const { pending, view } = this.#parts;
    return this.#sandboxes === undefined || pending.mayBeNamed(view.knowledge);
  }

  /** There is another picture: all stand by it on return, and what waited for it is let go. */
  usePicture(): void {
    this.#knowsPicture = true;
    this.#sandboxes?.reclassify();
    this.#unsettled?.judge();
    this.#standings.retain((sandbox) => this.addressesOf(sandbox) !== undefined);
  }

  /** More has been read: those that were undecided may stand somewhere now, and it may be certain what others are granted. */
  useReadings(): void {
    if (this.#parts.pending.hasUndecided) this.#sandboxes?.reclassify();
    else this.#sandboxes?.reclassifyUnsettled();
    this.#unsettled?.judge();
  }

  /** The host has got or lost these: what is its own no sandbox has, and what it has given up one may have. */
  useHostAddresses(changed: ReadonlySet<IpAddress>): void {
    const { index } = this.#parts.view;
    const given = [...changed].flatMap((address) => index.givenTo(address)?.sandbox ?? []);
    this.#sandboxes?.judge([...new Set([...given, ...this.#sandboxes.namesWith(changed)])]);
  }

  /** What comes by ports that are not settled waits from now on; whatever is known by now is in the kernel before. */
  holdUnsettled(): void {
    const { settings, readiness, engine, telling } = this.#parts;
    if (this.#unsettled !== undefined || !settings.holdUnsettled) return;
    this.#standings.settlePorts();
    this.#lookNow();
    this.#sandboxes?.reclassify();
    this.#unsettled = startUnsettledQueue({
      queueNumber: settings.queueNumber,
      readiness,
      lookNow: () => this.#lookNow(),
      stateOf: (port) => this.#standings.stateOfPort(port),
      onUnknown: engine.refresh,
      onProblem: telling.problem,
      nowMs: monotonicMs,
    });
    const stay = (): void => this.#standings.stayAwake(awakeSeconds * 1000);
    every({ everyMs: awakeEveryMs, work: stay, onFailure: telling.failure });
    stay();
    this.#portsWait = true;
  }

  /** How far a sandbox is cut off, read from the kernel. */
  cutOf(sandbox: string): Cut {
    return this.#standings.cutOf(sandbox);
  }

  /** Which way a container's packet would take. */
  wayTo(containerId: string, destination: Destination): Way {
    try {
      return this.#wayTo(containerId, destination);
    } catch {
      // It may be gone by now; and what cannot be read is not known.
      return { kind: "unknown" };
    }
  }

  /** Asks this question inside every guarded sandbox. */
  async probe(message: Uint8Array): Promise<readonly ProbedSandbox[]> {
    return (await this.#sandboxes?.probe(message)) ?? [];
  }

  /** Asks a server as this container would; undefined when no answer came. */
  async ask(containerId: string, server: IpAddress, message: Uint8Array): Promise<Uint8Array | undefined> {
    const sandbox = this.#parts.view.index.sandboxOf(containerId);
    return sandbox === undefined ? undefined : await this.#sandboxes?.ask(sandbox, server, message);
  }

  /** Gives every sandbox back to the engine's own resolver, and lets everything pass by every port. */
  async releaseAll(): Promise<void> {
    this.#portsWait = false;
    const releases = [
      () => this.#endEngineQuestions("accept"),
      () => this.#unsettled?.close(),
      () => this.#standings.release(),
      () => this.#sandboxes?.releaseAll(),
    ];
    // What fails of one is looked for in the kernel afterwards; it keeps none of the others.
    for (const release of releases)
      for (const problem of await problemsOf(release)) this.#parts.telling.problem(problem);
  }

  #wayTo(containerId: string, destination: Destination): Way {
    const sandbox = this.#parts.view.index.sandboxOf(containerId);
    const route = sandbox === undefined ? undefined : this.#sandboxes?.routeTo(sandbox, destination);
    if (sandbox === undefined || route === undefined) return { kind: "unknown" };
    if (route.kind !== "device") return route;
    const { source, link, toAll } = route;
    const isClosed = this.#standings.closedIn(sandbox)?.some(({ index }) => index === link.index) === true;
    if (isClosed) return { kind: "closed", source };
    const port = this.#standings.portsOf(sandbox).find(({ peer }) => peer === link.index);
    if (port?.bridge !== undefined)
      return { kind: "bridge", source, bridge: port.bridge, ...(toAll === true ? { toAll } : {}) };
    return { kind: "device", source, name: link.name, device: link.kind ?? "" };
  }

  /** Captures what is not captured yet, and takes in which ports there are; done when it returns. */
  #lookNow(): void {
    this.#sandboxes?.captureNow();
    this.#standings.lookNow();
  }

  #beginEngineQuestions(questions: OpenQueue | undefined): void {
    const { settings, readiness, sets, engine, telling } = this.#parts;
    this.#endEngineQuestions = startEngineQuestions({
      queueNumber: settings.queueNumber,
      queue: questions ?? holdEngineQuestions(settings.queueNumber, sets),
      readiness,
      sets,
      lates: this.#lates,
      captureNow: () => this.#lookNow(),
      mayBeEngines: this.#engineProcess.maySend,
      isEngineIdle: this.#engineProcess.isIdle,
      onUnknown: engine.refresh,
      onProblem: telling.problem,
    });
  }

  /** A thread that ends leaves its descriptors to its process. */
  #end(): void {
    const steps = [
      // Before anything that takes a hook out of the kernel: it would drop what waits, the host's own questions, too.
      () => this.#endEngineQuestions("drop"),
      () => this.#standings.close(),
      // A start that fails leaves nobody without a resolver who had one before it.
      () => {
        if (!this.#knowsPicture) this.#sandboxes?.giveBack();
      },
    ];
    for (const step of steps) contain(step, this.#parts.telling.failure);
  }

  #capture(answerer: Answerer): Sandboxes {
    const { readiness, view, engine, telling, ownership } = this.#parts;
    const lates = this.#lates;
    return createSandboxes({
      folder: this.#folder,
      readiness,
      onAppear: (sandbox, namespaceFd) => this.#standings.appear(sandbox, namespaceFd),
      enforce: (found, sandbox) => this.#standings.enforce(sandbox, found),
      closedIn: (sandbox) => this.#standings.closedIn(sandbox),
      commit: () => this.#standings.commit(),
      isTold: (sandbox) => view.knowledge.isTold(sandbox),
      portsWait: () => this.#portsWait,
      onQuery: (question, standing) => answerer.answer({ ...question, standing }),
      onGone: (sandbox) => this.#forget(sandbox),
      mayEngineAsk: this.#engineProcess.mayAsk,
      onLate: (sandbox, late) => lates.add(sandbox, late, performance.now()),
      onUnseen: (fate) => lates.addUnseen(fate, performance.now()),
      onUnanswerable: (query, isKnown) => answerer.fail(query, isKnown ? "failure" : "stranger"),
      onUnknown: () => engine.refresh(),
      onAddressLost: ownership.lost,
      onChange: (captured, problem, isOurs) => telling.tell({ kind: "sandboxes", captured, problem, isOurs }),
      onProblem: telling.problem,
    });
  }

  #forget(sandbox: string): void {
    const { pending, presence, telling } = this.#parts;
    const steps = [
      () => this.#lates.remove(sandbox, performance.now()),
      () => this.#standings.gone(sandbox),
      () => pending.gone(sandbox),
      () => presence.gone(sandbox),
    ];
    for (const step of steps) contain(step, telling.failure);
  }
}
