// Layer 2 of the capture. Every network sandbox of the engine is captured the moment it appears, before anything
// runs in it, and given back when its addresses show that it is on no guarded network. Capture first, classify
// after: a container's first lookup must not be a race. What was asked in between waits for the classification,
// and what an unguarded container asked is passed on to the resolver that it meant.

import { networkInterfaces } from "node:os";
import type { Standing } from "../../core/askers/index-of-askers.ts";
import type { LateCapture } from "../../core/askers/late-captures.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import { withNamespace } from "../kernel/netns.ts";
import type { Readiness } from "../kernel/readiness.ts";
import { readAddresses, type SandboxAddress, type SandboxAddresses } from "./addresses.ts";
import { type Fate, watchSandboxes } from "./folder.ts";
import { createListening } from "./listening.ts";
import { createPastFlows, mayHaveAskedPast } from "./past-flows.ts";
import { createQuestions, type SandboxQuery } from "./questions.ts";
import { askInSandbox } from "./relay.ts";
import { closeSandbox, openSandbox, type Sandbox } from "./sandbox.ts";
import {
  cutInside,
  holdInterfaces,
  type Interfaces,
  installSandboxTable,
  isCutInside,
  removeSandboxTables,
} from "./table.ts";

export interface SandboxesOptions {
  readonly folder: string;
  readonly readiness: Readiness;
  /** A sandbox has appeared; asked for its standing from now on. @param namespaceFd open until onGone() */
  readonly onAppear: (sandbox: string, namespaceFd: number) => void;
  /** What a sandbox with these addresses demands of the kernel is in there when it returns. */
  readonly standingOf: (found: SandboxAddresses, sandbox: string) => Standing;
  /** Whether the engine has told whose a sandbox is. */
  readonly isTold: (sandbox: string) => boolean;
  /** A question of a guarded container. */
  readonly onQuery: (query: SandboxQuery, standing: () => Standing) => void;
  readonly onGone: (sandbox: string) => void;
  /** A question of a container that could not be classified in time: it must be answered with a failure. */
  readonly onStranger: (query: SandboxQuery) => void;
  /** Somebody asks whom we cannot classify yet. */
  readonly onUnknown: () => void;
  /** A sandbox no longer has it, or is gone. */
  readonly onAddressLost: (address: IpAddress, sandbox: string) => void;
  /** One was captured when its container may have been asking already. */
  readonly onLate: (sandbox: string, late: LateCapture) => void;
  /** One may have come and gone uncaptured. */
  readonly onUnseen: (fate: () => Fate) => void;
  /** How many are captured, and why some are not: one sentence. */
  readonly onChange: (captured: number, problem: string | undefined) => void;
  readonly onProblem: (problem: string) => void;
}

export interface Sandboxes {
  /** Captures what has appeared by now before it returns. */
  captureNow(): void;
  /** Whether there is no sandbox that we could not look into. */
  isComplete(): boolean;
  /** The addresses that a sandbox has now; undefined when there is none of that name. */
  addressesOf(name: string): readonly IpAddress[] | undefined;
  /** Which sandboxes have an address now. */
  holdersOf(address: IpAddress): ReadonlySet<string>;
  /** To be called when what `standingOf` says of all may have changed. */
  reclassify(): void;
  /** The same for one. */
  judge(name: string): void;
  /** Cuts a sandbox off inside of it, or no longer. */
  cutInside(name: string, cut: boolean): void;
  /** Whether it is, read from the kernel. */
  isCutInside(name: string): boolean;
  /** Asks this question inside every guarded sandbox, as its container would. */
  probe(message: Uint8Array): Promise<readonly ProbedSandbox[]>;
  /**
   * For a run that ends without having learned who anybody is: gives back whom it has captured and found neither captured
   * nor just made. Nothing in here waits.
   */
  giveBack(): void;
  /** Gives every sandbox back for good and stops watching. */
  releaseAll(): Promise<void>;
}

export interface ProbedSandbox {
  readonly addresses: readonly IpAddress[];
  /** Undefined when no answer came. */
  readonly answer: Uint8Array | undefined;
}

const none: ReadonlySet<string> = new Set();
/**
 * A container joins its networks one after the other, within some tens of milliseconds, and the next may be a guarded
 * one. To take the tables away and put them back takes the kernel as long, and nothing else is seen meanwhile.
 */
const releaseAfterMs = 250;
/** How long an engine may take, on a busy host, to tell a client in a sandbox that its question was refused. */
const refusedWithinMs = 1_000;
export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const sandboxes = new Map<string, Sandbox>();
  const holders = new Map<IpAddress, Set<string>>();
  /** Why, by name. */
  const uncaptured = new Map<string, string>();
  let started = false;
  const isLive = (sandbox: Sandbox): boolean => sandboxes.get(sandbox.name) === sandbox;
  const questions = createQuestions({
    onQuery: options.onQuery,
    onStranger: options.onStranger,
    onUnknown: options.onUnknown,
    release(sandbox) {
      if (sandbox.captured) attempt(sandbox.name, () => release(sandbox));
    },
  });
  const listening = createListening({
    onQuery: questions.receive,
    onChange: tellChange,
    isLive,
    onProblem: options.onProblem,
  });
  const pastFlows = createPastFlows({ isLive, attempt });

  const watcher = watchSandboxes({
    folder: options.folder,
    onAppear: appear,
    onGone: (name) => void forget(name),
    onUnseen: options.onUnseen,
    onProblem: options.onProblem,
  });
  // The first listing is done when watchSandboxes() returns: what comes from here on has just been made.
  started = true;

  /** A sandbox that cannot be captured is told loudly: its traffic stays denied, its lookups go past us. */
  function appear(name: string, namespaceFd: number): void {
    try {
      capture(name, namespaceFd);
    } catch (error) {
      uncaptured.set(name, messageOf(error));
      tellChange();
    }
  }

  function tellChange(): void {
    const lacking = new Map([...listening.lacking(), ...uncaptured]);
    const [first] = lacking;
    const problem =
      first === undefined
        ? undefined
        : `the lookups of ${lacking.size} container(s) cannot be captured, sandbox ${first[0]}: ${first[1]}`;
    options.onChange(countCaptured(), problem);
  }

  function attempt(name: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      options.onProblem(`sandbox ${name}: ${messageOf(error)}`);
    }
  }

  /** Nothing in here waits: when it returns the sandbox is captured. */
  function capture(name: string, namespaceFd: number): void {
    const sandbox = openSandbox(name, namespaceFd, started);
    sandboxes.set(name, sandbox);
    // Before all else: its first question may come any moment.
    attempt(name, () => install(sandbox));
    attempt(name, () => options.onAppear(name, namespaceFd));
    read(sandbox);
    sandbox.listening = listening.listen(sandbox);
    follow(sandbox);
  }

  /** Reads its addresses whenever they change, but not as often as its container can change them. */
  function follow(sandbox: Sandbox): void {
    sandbox.unwatch = options.readiness.watch(sandbox.sockets.addressFd, () => {
      const waitMs = sandbox.pace.next(performance.now());
      if (waitMs === 0) {
        read(sandbox);
        return;
      }
      sandbox.unwatch();
      sandbox.readTimer = setTimeout(() => {
        read(sandbox);
        follow(sandbox);
      }, waitMs);
    });
  }

  /** One that cannot be classified stays captured, and its questions wait. */
  function read(sandbox: Sandbox): void {
    try {
      if (!sandbox.captured && sandbox.standing.kind !== "open") install(sandbox);
      sandbox.found = readAddresses(sandbox.sockets.addressFd, sandbox.namespaceFd);
      settle(sandbox);
    } catch (error) {
      if (sandbox.captured) options.onProblem(`sandbox ${sandbox.name}: ${messageOf(error)}`);
      else {
        uncaptured.set(sandbox.name, messageOf(error));
        tellChange();
      }
    }
  }

  function install(sandbox: Sandbox): void {
    const { namespaceFd, sockets, owner } = sandbox;
    const { replaced, late } = withNamespace(namespaceFd, () => {
      const replaced = installSandboxTable(sockets, owner);
      return { replaced, late: !replaced && (!sandbox.fresh || isConnected()) };
    });
    sandbox.inherited ||= replaced && !sandbox.captured && !sandbox.fresh;
    sandbox.captured = true;
    uncaptured.delete(sandbox.name);
    hold(sandbox);
    if (late) {
      options.onLate(sandbox.name, {
        standing: () => sandbox.standing.kind,
        hasAskedPast: () => sandbox.askedPast || mayHaveAskedPast(sandbox, attempt),
      });
    }
    if (!sandbox.fresh) pastFlows.forgetSoon(sandbox);
    // First the engine's refusal must have found its way back: who is refused asks again by another socket at once.
    else if (late) setTimeout(() => pastFlows.forgetSoon(sandbox), refusedWithinMs);
    tellChange();
  }

  /** Nothing runs in a new one before it is connected. */
  function isConnected(): boolean {
    return Object.values(networkInterfaces()).some((found) => found?.some(({ internal }) => !internal));
  }

  /** Keeps back what leaves by an interface that settle() has not seen. */
  function hold({ name, namespaceFd, interfaces, owner }: Sandbox): void {
    attempt(name, () => withNamespace(namespaceFd, () => holdInterfaces(interfaces, owner)));
  }

  function releaseSoon(sandbox: Sandbox): void {
    sandbox.releaseTimer ??= setTimeout(() => {
      sandbox.releaseTimer = undefined;
      if (sandbox.standing.kind === "open" && sandbox.captured) attempt(sandbox.name, () => release(sandbox));
    }, releaseAfterMs);
  }

  function release(sandbox: Sandbox): void {
    withNamespace(sandbox.namespaceFd, () => removeSandboxTables(sandbox.owner));
    sandbox.captured = false;
    tellChange();
  }

  /** Those whose addresses have been seen to. */
  function interfacesOf({ name, standing }: Sandbox, found: readonly SandboxAddress[]): Interfaces {
    // The engine gives out no addresses on some networks; what it has told of and left without one is nobody's to hold.
    if (standing.kind === "unknown" && options.isTold(name)) return "all";
    return [...new Set(found.map(({ index }) => index))].sort();
  }

  /** Acts on where the sandbox stands now, by the addresses that were last read. */
  function settle(sandbox: Sandbox): void {
    const { found } = sandbox;
    noteAddresses(sandbox);
    sandbox.standing = options.standingOf(found, sandbox.name);
    const interfaces = interfacesOf(sandbox, found.addresses);
    const changed = interfaces.toString() !== sandbox.interfaces.toString();
    sandbox.interfaces = interfaces;
    const wanted = sandbox.standing.kind !== "open";
    if (wanted && !sandbox.captured) install(sandbox);
    // Only now: whatever had to be done about the addresses of a new interface has been done.
    else if (sandbox.captured && changed) hold(sandbox);
    if (!wanted && sandbox.captured) releaseSoon(sandbox);
    if (sandbox.standing.kind !== "unknown") questions.settle(sandbox);
  }

  function noteAddresses(sandbox: Sandbox): void {
    const { found, name } = sandbox;
    const addresses = new Set(found.addresses.map(({ address }) => address));
    for (const address of sandbox.addresses) if (!addresses.has(address)) lose(address, name);
    for (const address of addresses)
      holders.set(address, (holders.get(address) ?? new Set<string>()).add(name));
    sandbox.addresses = [...addresses];
  }

  function lose(address: IpAddress, name: string): void {
    const its = holders.get(address);
    its?.delete(name);
    if (its?.size === 0) holders.delete(address);
    options.onAddressLost(address, name);
  }

  async function forget(name: string): Promise<void> {
    const sandbox = sandboxes.get(name);
    if (uncaptured.delete(name)) tellChange();
    if (sandbox === undefined) return;
    sandboxes.delete(name);
    listening.forget(name);
    questions.forget(sandbox);
    for (const address of sandbox.addresses) lose(address, name);
    options.onGone(name);
    await closeSandbox(sandbox);
    tellChange();
  }

  function countCaptured(): number {
    return [...sandboxes.values()].filter((sandbox) => sandbox.captured).length;
  }

  return {
    captureNow: watcher.lookNow,
    isComplete: () => [...uncaptured.keys()].every((name) => sandboxes.has(name)),
    addressesOf: (name) => sandboxes.get(name)?.addresses,
    holdersOf: (address) => holders.get(address) ?? none,
    reclassify() {
      for (const sandbox of sandboxes.values()) attempt(sandbox.name, () => settle(sandbox));
    },
    judge(name) {
      const sandbox = sandboxes.get(name);
      if (sandbox !== undefined) attempt(name, () => settle(sandbox));
    },
    cutInside(name, cut) {
      const sandbox = sandboxes.get(name);
      if (sandbox === undefined) return;
      withNamespace(sandbox.namespaceFd, () => {
        if (isCutInside(sandbox.owner) !== cut) cutInside(cut, sandbox.owner);
      });
    },
    isCutInside(name) {
      const sandbox = sandboxes.get(name);
      return sandbox !== undefined && withNamespace(sandbox.namespaceFd, () => isCutInside(sandbox.owner));
    },
    probe: (message) => {
      const guarded = [...sandboxes.values()].filter((sandbox) => sandbox.standing.kind === "guarded");
      return Promise.all(
        guarded.map(async ({ namespaceFd, addresses }) => ({
          addresses,
          answer: await askInSandbox(namespaceFd, message).catch(() => undefined),
        })),
      );
    },
    giveBack() {
      for (const sandbox of sandboxes.values()) {
        const { captured, inherited, fresh } = sandbox;
        if (captured && !inherited && !fresh) attempt(sandbox.name, () => release(sandbox));
      }
    },
    async releaseAll() {
      watcher.close();
      for (const sandbox of sandboxes.values()) {
        attempt(sandbox.name, () => {
          release(sandbox);
          withNamespace(sandbox.namespaceFd, () => cutInside(false, sandbox.owner));
        });
      }
      await Promise.all([...sandboxes.keys()].map(forget));
    },
  };
}
