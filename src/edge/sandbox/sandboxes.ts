// Layer 2 of the capture. Every network sandbox of the engine is captured the moment it appears, before anything
// runs in it, and given back when its addresses show that it is on no guarded network. Capture first, classify
// after: a container's first lookup must not be a race. What was asked in between waits for the classification,
// and what an unguarded container asked is passed on to the resolver that it meant.

import { contain } from "../../core/contain.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Destination } from "../../core/path/way.ts";
import { messageOf } from "../../errors.ts";
import { type KernelRoute, readRoute } from "../kernel/netlink/routes.ts";
import { isOfOtherUsers, withNamespace } from "../kernel/netns.ts";
import { watchAddresses } from "./address-watch.ts";
import { watchSandboxes } from "./folder/watch.ts";
import { askInSandbox } from "./lookups/relay.ts";
import type { SandboxesOptions } from "./options.ts";
import { createParts, type SandboxParts } from "./parts.ts";
import type { PortPair } from "./ports/offload-notes.ts";
import { closeSandbox, cutSandbox, isSandboxCut, openSandbox, type Sandbox } from "./sandbox.ts";
import { cutInside } from "./tables/cut.ts";

export interface Sandboxes {
  /** Captures what has appeared by now before it returns. */
  captureNow(): void;
  /** Whether there is no sandbox whose ports may be taken for nobody's. */
  isComplete(): boolean;
  /** The addresses that a sandbox has now; undefined when there is none of that name. */
  addressesOf(name: string): readonly IpAddress[] | undefined;
  /** Whether all addresses of a sandbox were read. */
  isRead(name: string): boolean;
  /** Which sandboxes have an address now. */
  holdersOf(address: IpAddress): ReadonlySet<string>;
  /** Names of those that have one of these addresses, link-local ones among them, as they were last read. */
  namesWith(addresses: ReadonlySet<IpAddress>): readonly string[];
  /** To be called when what `enforce` makes of all may have changed. */
  reclassify(): void;
  /** The same of guarded ones of which it was not certain yet what may be granted to them. */
  reclassifyUnsettled(): void;
  /** The same for some. */
  judge(names: readonly string[]): void;
  /** Whether it belongs to another user namespace than ours. */
  hasOwnUsers(name: string): boolean;
  /** Cuts a sandbox off inside of it, or no longer. */
  cutInside(name: string, cut: boolean): void;
  /** Whether it is, read from the kernel. */
  isCutInside(name: string): boolean;
  /**
   * Has the kernel fill in the checksums of what these interfaces of a sandbox send, before they send it; their ports
   * merge what it has to cut for that, where they can.
   * @returns false where there is no sandbox of that name
   * @throws DockerwallError where that cannot be
   */
  keepChecksums(name: string, pairs: readonly PortPair[]): boolean;
  /** Gives back what was changed so. */
  giveBackChecksums(name: string): void;
  /** Which way it would send a packet; undefined when there is none of that name. @throws NetlinkError */
  routeTo(name: string, destination: Destination): KernelRoute | undefined;
  /** Asks this question inside every guarded sandbox, as its container would. */
  probe(message: Uint8Array): Promise<readonly ProbedSandbox[]>;
  /** Asks a server from inside a sandbox; undefined when there is none of that name, or no answer came. */
  ask(name: string, server: IpAddress, message: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * For a run that ends before it has learned whose any sandbox is: gives back those that it captured itself and that
   * were there before it. Nothing in here waits.
   */
  giveBack(): void;
  /**
   * Gives every sandbox back for good and stops watching. What cannot be given back is a problem, and belongs to nobody
   * afterwards: assertGivenBack() says what is left.
   */
  releaseAll(): Promise<void>;
}

export interface ProbedSandbox {
  readonly addresses: readonly IpAddress[];
  /** Undefined when no answer came. */
  readonly answer: Uint8Array | undefined;
}

/** Begins to capture; what is there already is captured when it returns. */
export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const parts = createParts(options);
  const { register, holders, classification, capture, attempt } = parts;
  let started = false;
  const watcher = watchSandboxes({
    folder: options.folder,
    onAppear: (name, namespaceFd) => appear(parts, name, namespaceFd, started),
    onGone: (name) =>
      contain(
        () => forget(parts, name),
        (error) => options.onProblem(`sandbox ${name}: ${messageOf(error)}`),
      ),
    onUnseen: options.onUnseen,
    onProblem: options.onProblem,
  });
  // The first listing is done when watchSandboxes() returns: what comes from here on has just been made.
  started = true;
  const ifThere = <T>(name: string, work: (sandbox: Sandbox) => T): T | undefined => {
    const sandbox = register.get(name);
    return sandbox && work(sandbox);
  };
  return {
    captureNow: () => watcher.lookNow(),
    isComplete: () => register.isComplete,
    addressesOf: (name) => register.get(name)?.addresses,
    isRead: (name) => register.get(name)?.found.isWhole === true,
    holdersOf: (address) => holders.of(address),
    namesWith: (addresses) => register.with(addresses).map(({ name }) => name),
    reclassify: () => classification.settle(register.values()),
    reclassifyUnsettled: () => classification.settle(register.unsettled()),
    judge: (names) => classification.settle(names.flatMap((name) => register.get(name) ?? [])),
    hasOwnUsers: (name) => ifThere(name, ({ namespaceFd }) => isOfOtherUsers(namespaceFd)) === true,
    cutInside: (name, cut) => ifThere(name, (sandbox) => cutSandbox(sandbox, cut)),
    isCutInside: (name) => ifThere(name, isSandboxCut) === true,
    keepChecksums: (name, pairs) =>
      ifThere(name, ({ checksums }) => {
        checksums.keep(pairs);
        return true;
      }) === true,
    giveBackChecksums: (name) => ifThere(name, ({ checksums }) => checksums.giveBack()),
    routeTo: (name, destination) => ifThere(name, ({ namespaceFd }) => readRoute(namespaceFd, destination)),
    probe: (message) => probe(register.values(), message),
    ask: async (name, server, message) =>
      ifThere(name, ({ namespaceFd }) => askInSandbox(namespaceFd, message, server))?.catch(() => undefined),
    giveBack() {
      for (const sandbox of register.values()) {
        const { captured, inherited, fresh } = sandbox;
        if (captured && !inherited && !fresh) attempt(sandbox.name, () => capture.release(sandbox));
      }
    },
    async releaseAll() {
      watcher.close();
      await releaseAll(parts);
    },
  };
}

/**
 * Nothing in here waits: when it returns, the sandbox is captured, or a problem says why it is not yet, and its ports are
 * known for its own.
 */
function appear(parts: SandboxParts, name: string, namespaceFd: number, fresh: boolean): void {
  const { options, register, unopened } = parts;
  let isFirst = true;
  unopened.open({
    name,
    namespaceFd,
    meet: () => options.onAppear(name, namespaceFd),
    open(isMet) {
      const sandbox = openSandbox(name, namespaceFd, fresh && isFirst);
      begin(parts, sandbox, isMet);
    },
    onFailure(error) {
      isFirst = false;
      register.noteUnopened(name, messageOf(error));
    },
  });
}

function begin(parts: SandboxParts, sandbox: Sandbox, isMet: boolean): void {
  const { options, register, attempt, tellOf, capture, classification, listening } = parts;
  const { name, namespaceFd } = sandbox;
  register.add(sandbox);
  try {
    // Before all else: its first question may come any moment.
    attempt(name, () => capture.install(sandbox));
    if (!isMet) attempt(name, () => options.onAppear(name, namespaceFd));
    classification.read(sandbox);
    sandbox.listening = listening.listen(sandbox);
    watchAddresses(sandbox, {
      readiness: options.readiness,
      read: (sandbox) => classification.read(sandbox),
      onFailure: tellOf(name),
    });
  } catch (error) {
    register.noteUncaptured(name, messageOf(error));
  }
}

/** Whatever of it fails, its descriptors are closed. */
async function forget(parts: SandboxParts, name: string): Promise<void> {
  const { options, register, unopened, owed, attempt, holders, listening } = parts;
  const sandbox = register.remove(name);
  if (sandbox === undefined) {
    if (unopened.forget(name)) attempt(name, () => options.onGone(name));
    return;
  }
  owed.forget(sandbox);
  listening.forget(name);
  attempt(name, () => holders.forget(sandbox));
  attempt(name, () => options.onGone(name));
  try {
    await closeSandbox(sandbox);
  } finally {
    register.tell();
  }
}

async function probe(sandboxes: readonly Sandbox[], message: Uint8Array): Promise<readonly ProbedSandbox[]> {
  const guarded = sandboxes.filter(({ standing }) => standing.kind === "guarded");
  return Promise.all(
    guarded.map(async ({ namespaceFd, addresses }) => ({
      addresses,
      answer: await askInSandbox(namespaceFd, message).catch(() => undefined),
    })),
  );
}

async function releaseAll(parts: SandboxParts): Promise<void> {
  const { register, unopened, attempt, capture } = parts;
  for (const sandbox of register.values()) {
    attempt(sandbox.name, () => capture.release(sandbox));
    attempt(sandbox.name, () => withNamespace(sandbox.namespaceFd, () => cutInside(false, sandbox.owner)));
  }
  const names = [...register.values().map(({ name }) => name), ...unopened.names()];
  await Promise.all(names.map((name) => forget(parts, name)));
}
