// Layer 2 of the capture. Every network sandbox of the engine is captured the moment it appears, before anything
// runs in it, and given back when its addresses show that it is on no guarded network. Capture first, classify
// after: a container's first lookup must not be a race. What was asked in between waits for the classification,
// and what an unguarded container asked is passed on to the resolver that it meant.

import { closeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Standing } from "../dns/asker.ts";
import type { LateCapture } from "../dns/late-captures.ts";
import type { Transport } from "../dns/message.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { IpAddress } from "../model/address.ts";
import { type DnsClient, type DnsListener, listenUdp } from "./dns-listener.ts";
import { listenTcp, sandboxTcpLimits } from "./dns-listener-tcp.ts";
import { readableOf } from "./libc.ts";
import { withNamespace } from "./netns.ts";
import type { Readiness } from "./readiness.ts";
import { forgetFlowsPast } from "./resolver-flows.ts";
import { readAddresses, type SandboxAddress } from "./sandbox-addresses.ts";
import { type Fate, watchSandboxes } from "./sandbox-folder.ts";
import { askInSandbox } from "./sandbox-relay.ts";
import { openSandboxSockets, type SandboxSockets } from "./sandbox-sockets.ts";
import {
  holdInterfaces,
  type Interfaces,
  installSandboxTable,
  openTableOwner,
  removeSandboxTables,
  type TableOwner,
} from "./sandbox-table.ts";

export interface SandboxQuery {
  readonly message: Uint8Array;
  readonly transport: Transport;
  /** File name of the sandbox. */
  readonly sandbox: string;
  /** By performance.now(). */
  readonly arrivedAtMs: number;
  readonly isGone: (() => boolean) | undefined;
  readonly reply: (answer: Uint8Array | undefined) => void;
}

export interface SandboxesOptions {
  readonly folder: string;
  readonly readiness: Readiness;
  /** What a sandbox with these addresses demands of the kernel is in there when it returns. */
  readonly standingOf: (addresses: readonly IpAddress[], sandbox: string) => Standing;
  /** Whether the engine has told whose a sandbox is. */
  readonly isTold: (sandbox: string) => boolean;
  /** A question of a guarded container. */
  readonly onQuery: (query: SandboxQuery, standing: () => Standing) => void;
  readonly onGone: (sandbox: string) => void;
  /** A question of a container that could not be classified in time: it must be answered with a failure. */
  readonly onStranger: (query: SandboxQuery) => void;
  /** Somebody asks whom we cannot classify yet. */
  readonly onUnknown: () => void;
  /** A sandbox has this address, now or still: grants that an earlier holder of it had must not be inherited. */
  readonly onAddress: (address: IpAddress, sandbox: string) => void;
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
  /** Captures what has appeared, and settles what has changed of those that are not captured, before it returns. */
  captureNow(): void;
  /** The addresses that a sandbox has now; undefined when there is none of that name. */
  addressesOf(name: string): readonly IpAddress[] | undefined;
  /** To be called when what `standingOf` says may have changed. */
  reclassify(): void;
  /** Asks this question inside every guarded sandbox, as its container would. */
  probe(message: Uint8Array): Promise<readonly ProbedSandbox[]>;
  /** Gives every sandbox back for good and stops watching. */
  releaseAll(): Promise<void>;
}

export interface ProbedSandbox {
  readonly addresses: readonly IpAddress[];
  /** Undefined when no answer came. */
  readonly answer: Uint8Array | undefined;
}

/** How long a question waits for its asker to be classified; Docker's own resolver gives up after 4 s. */
const classifyWithinMs = 3_500;
const maxWaiting = 256;
const maxRelayed = 32;
/**
 * A container joins its networks one after the other, within some tens of milliseconds, and the next may be a guarded
 * one. To take the tables away and put them back takes the kernel as long, and nothing else is seen meanwhile.
 */
const releaseAfterMs = 250;
const betweenForgettingMs = 25;

interface Sandbox {
  readonly name: string;
  readonly namespaceFd: number;
  readonly sockets: SandboxSockets;
  readonly owner: TableOwner;
  readonly waiting: SandboxQuery[];
  /** Questions that are with the engine's resolver now. */
  relayed: number;
  /** False for one that was there before us: its container may have open flows to Docker's resolver. */
  readonly fresh: boolean;
  addresses: readonly IpAddress[];
  /** Indexes of the interfaces that packets may leave by while it is captured. */
  interfaces: Interfaces;
  /** Never rejects. */
  listening: Promise<readonly DnsListener[]>;
  unwatch: () => void;
  releaseTimer: NodeJS.Timeout | undefined;
  standing: Standing;
  captured: boolean;
  /** True once it is known that something in it asked the engine's resolver before it was captured. */
  askedPast: boolean;
}

export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const sandboxes = new Map<string, Sandbox>();
  const flowsToForget: Sandbox[] = [];
  /** Why, by name. */
  const uncaptured = new Map<string, string>();
  let started = false;

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
      if (!sandboxes.has(name)) closeSync(namespaceFd);
      tellChange();
    }
  }

  function tellChange(): void {
    const [first] = uncaptured;
    const problem =
      first === undefined
        ? undefined
        : `the lookups of ${uncaptured.size} container(s) cannot be captured, sandbox ${first[0]}: ${first[1]}`;
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
    const sandbox: Sandbox = {
      name,
      namespaceFd,
      sockets: openSandboxSockets(namespaceFd),
      owner: withNamespace(namespaceFd, openTableOwner),
      waiting: [],
      relayed: 0,
      fresh: started,
      addresses: [],
      interfaces: [],
      listening: Promise.resolve([]),
      unwatch: () => undefined,
      releaseTimer: undefined,
      standing: { kind: "unknown" },
      captured: false,
      // What asked in one that was there before us may be long forgotten.
      askedPast: !started,
    };
    sandboxes.set(name, sandbox);
    settle(sandbox);
    sandbox.listening = listen(sandbox).catch((error: unknown) => {
      options.onProblem(`sandbox ${name}: ${messageOf(error)}`);
      return [];
    });
    sandbox.unwatch = options.readiness.watch(sandbox.sockets.addressFd, () =>
      attempt(name, () => settle(sandbox)),
    );
  }

  function install(sandbox: Sandbox): void {
    const { namespaceFd, sockets, owner } = sandbox;
    const late = withNamespace(
      namespaceFd,
      () => !installSandboxTable(sockets, owner) && (!sandbox.fresh || isConnected()),
    );
    sandbox.captured = true;
    hold(sandbox);
    if (late) {
      options.onLate(sandbox.name, {
        standing: () => sandbox.standing.kind,
        hasAskedPast: () => sandbox.askedPast || forgetPast(sandbox),
      });
    }
    if (late || !sandbox.fresh) forgetFlowsSoon(sandbox);
    tellChange();
  }

  /** Nothing runs in a new one before it is connected. */
  function isConnected(): boolean {
    return Object.values(networkInterfaces()).some((found) => found?.some(({ internal }) => !internal));
  }

  /** Returns whether something in it asked past us. */
  function forgetPast(sandbox: Sandbox): boolean {
    const count = withNamespace(sandbox.namespaceFd, () => forgetFlowsPast(sandbox.sockets));
    sandbox.askedPast ||= count > 0;
    return sandbox.askedPast;
  }

  /** Keeps back what leaves by an interface that settle() has not seen. */
  function hold({ name, namespaceFd, interfaces, owner }: Sandbox): void {
    attempt(name, () => withNamespace(namespaceFd, () => holdInterfaces(interfaces, owner)));
  }

  /**
   * A container that was there before us may hold a socket whose flow still leads past us; the guard stops it, and
   * forgetting the flow lets it start anew. Takes the kernel 12 ms, so lookups are let in between.
   */
  function forgetFlowsSoon(sandbox: Sandbox): void {
    flowsToForget.push(sandbox);
    if (flowsToForget.length > 1) return;
    const next = (): void => {
      const [first] = flowsToForget;
      if (first !== undefined && sandboxes.get(first.name) === first) {
        attempt(first.name, () => void forgetPast(first));
      }
      flowsToForget.shift();
      if (flowsToForget.length > 0) setTimeout(next, betweenForgettingMs);
    };
    setTimeout(next, betweenForgettingMs);
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

  async function listen(sandbox: Sandbox): Promise<readonly DnsListener[]> {
    const { udpFd, tcpFd } = sandbox.sockets;
    const handler =
      (transport: Transport) =>
      (message: Uint8Array, { isGone }: DnsClient, reply: (answer: Uint8Array | undefined) => void): void =>
        receive(sandbox, {
          message,
          transport,
          sandbox: sandbox.name,
          arrivedAtMs: performance.now(),
          isGone,
          reply,
        });
    return Promise.all([
      listenUdp({ fd: udpFd, family: 4 }, handler("udp")),
      listenTcp({ fd: tcpFd, family: 4 }, handler("tcp"), sandboxTcpLimits),
    ]);
  }

  /** Those whose addresses have been seen to. */
  function interfacesOf({ name, standing }: Sandbox, found: readonly SandboxAddress[]): Interfaces {
    // The engine gives out no addresses on some networks; what it has told of and left without one is nobody's to hold.
    if (standing.kind === "unknown" && options.isTold(name)) return "all";
    return [...new Set(found.map(({ index }) => index))].sort();
  }

  /** Reads where the sandbox stands now and acts on it. */
  function settle(sandbox: Sandbox): void {
    const found = readAddresses(sandbox.sockets.addressFd);
    const addresses = found.map(({ address }) => address);
    for (const address of sandbox.addresses) {
      if (!addresses.includes(address)) options.onAddressLost(address, sandbox.name);
    }
    for (const address of addresses) options.onAddress(address, sandbox.name);
    sandbox.addresses = addresses;
    sandbox.standing = options.standingOf(addresses, sandbox.name);
    const interfaces = interfacesOf(sandbox, found);
    const changed = interfaces.toString() !== sandbox.interfaces.toString();
    sandbox.interfaces = interfaces;
    const wanted = sandbox.standing.kind !== "open";
    if (wanted && !sandbox.captured) install(sandbox);
    // Only now: whatever had to be done about the addresses of a new interface has been done.
    else if (sandbox.captured && changed) hold(sandbox);
    if (!wanted && sandbox.captured) releaseSoon(sandbox);
    if (sandbox.standing.kind === "unknown") return;
    for (const query of sandbox.waiting.splice(0)) dispatch(sandbox, query);
  }

  function receive(sandbox: Sandbox, query: SandboxQuery): void {
    if (sandbox.standing.kind !== "unknown") {
      dispatch(sandbox, query);
      return;
    }
    if (sandbox.waiting.length >= maxWaiting) {
      options.onStranger(query);
      return;
    }
    sandbox.waiting.push(query);
    options.onUnknown();
    setTimeout(() => {
      const index = sandbox.waiting.indexOf(query);
      if (index < 0) return;
      sandbox.waiting.splice(index, 1);
      options.onStranger(query);
    }, classifyWithinMs);
  }

  /** Our sockets stay in a released sandbox, where its container could flood them: only so many at a time. */
  function relay(sandbox: Sandbox, query: SandboxQuery): void {
    if (sandbox.relayed >= maxRelayed) {
      options.onStranger(query);
      return;
    }
    // The engine's resolver is behind the capture as long as that stands.
    if (sandbox.captured) attempt(sandbox.name, () => release(sandbox));
    sandbox.relayed += 1;
    askInSandbox(sandbox.namespaceFd, query.message)
      .then(query.reply, () => options.onStranger(query))
      .finally(() => {
        sandbox.relayed -= 1;
      });
  }

  function dispatch(sandbox: Sandbox, query: SandboxQuery): void {
    switch (sandbox.standing.kind) {
      case "guarded":
        options.onQuery(query, () => sandbox.standing);
        break;
      case "open":
        relay(sandbox, query);
        break;
      case "unknown":
        throw new DockerwallError("INTERNAL", "a question was dispatched before its sandbox was classified");
    }
  }

  async function forget(name: string): Promise<void> {
    const sandbox = sandboxes.get(name);
    if (uncaptured.delete(name)) tellChange();
    if (sandbox === undefined) return;
    sandboxes.delete(name);
    for (const address of sandbox.addresses) options.onAddressLost(address, name);
    options.onGone(name);
    clearTimeout(sandbox.releaseTimer);
    sandbox.unwatch();
    await Promise.all((await sandbox.listening).map((listener) => listener.close()));
    closeSync(sandbox.sockets.addressFd);
    sandbox.owner.closeLater();
    closeSync(sandbox.namespaceFd);
    tellChange();
  }

  function countCaptured(): number {
    return [...sandboxes.values()].filter((sandbox) => sandbox.captured).length;
  }

  return {
    captureNow() {
      watcher.lookNow();
      const free = [...sandboxes.values()].filter(({ captured }) => !captured);
      const changed = new Set(
        readableOf(
          free.map(({ sockets }) => sockets.addressFd),
          "sandboxes",
        ),
      );
      for (const sandbox of free)
        if (changed.has(sandbox.sockets.addressFd)) attempt(sandbox.name, () => settle(sandbox));
    },
    addressesOf: (name) => sandboxes.get(name)?.addresses,
    reclassify() {
      for (const sandbox of sandboxes.values()) attempt(sandbox.name, () => settle(sandbox));
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
    async releaseAll() {
      watcher.close();
      for (const sandbox of sandboxes.values()) attempt(sandbox.name, () => release(sandbox));
      await Promise.all([...sandboxes.keys()].map(forget));
    },
  };
}
