// Layer 2 of the capture. Every network sandbox of the engine is captured the moment it appears, before anything
// runs in it, and given back when its addresses show that it is on no guarded network. Capture first, classify
// after: a container's first lookup must not be a race. What was asked in between waits for the classification,
// and what an unguarded container asked is passed on to the resolver that it meant.

import { closeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Standing } from "../../core/askers/index-of-askers.ts";
import type { LateCapture } from "../../core/askers/late-captures.ts";
import type { Transport } from "../../core/dns/wire/message.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { withNamespace } from "../kernel/netns.ts";
import type { Readiness } from "../kernel/readiness.ts";
import { type Lasting, listenLasting } from "../listener/lasting-listener.ts";
import { createPace, type Pace } from "../listener/pace.ts";
import { listenTcp } from "../listener/tcp.ts";
import { type DnsClient, type DnsListener, type ListenAt, listenUdp } from "../listener/udp.ts";
import { ConnectionPool } from "../upstream/connection-pool.ts";
import { readAddresses, type SandboxAddress, type SandboxAddresses } from "./addresses.ts";
import { type Fate, watchSandboxes } from "./folder.ts";
import { askInSandbox } from "./relay.ts";
import { forgetFlowsPast, hasAskedPast } from "./resolver-flows.ts";
import { openSandboxSockets, reopenSandboxSocket, type SandboxSockets } from "./sockets.ts";
import {
  cutInside,
  holdInterfaces,
  type Interfaces,
  installSandboxTable,
  isCutInside,
  openTableOwner,
  removeSandboxTables,
  type TableOwner,
} from "./table.ts";

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
const none: ReadonlySet<string> = new Set();
const maxRelayed = 32;
/** TCP connections to all sandboxes together. */
const connectionsAtMost = 1_024;
/**
 * A container joins its networks one after the other, within some tens of milliseconds, and the next may be a guarded
 * one. To take the tables away and put them back takes the kernel as long, and nothing else is seen meanwhile.
 */
const releaseAfterMs = 250;
const betweenForgettingMs = 25;
/** How long an engine may take, on a busy host, to tell a client in a sandbox that its question was refused. */
const refusedWithinMs = 1_000;
/** A container with NET_ADMIN changes its addresses without end; an engine gives it a few, one after the other. */
const reading = { burst: 24, everyMs: 50, mostMs: 1_000, calmMs: 2_000 } as const;

/** Opens a listener at a socket of ours. */
type Open = (at: ListenAt, onLost: (problem: string) => void) => Promise<DnsListener>;

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
  /** As they were last read. */
  found: SandboxAddresses;
  addresses: readonly IpAddress[];
  readonly pace: Pace;
  readTimer: NodeJS.Timeout | undefined;
  /** Indexes of the interfaces that packets may leave by while it is captured. */
  interfaces: Interfaces;
  /** Never rejects. */
  listening: Promise<readonly Lasting[]>;
  unwatch: () => void;
  releaseTimer: NodeJS.Timeout | undefined;
  standing: Standing;
  captured: boolean;
  /** True once it is known that something in it asked the engine's resolver before it was captured. */
  askedPast: boolean;
}

export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const sandboxes = new Map<string, Sandbox>();
  /** All clients of a sandbox are one, from whichever address of its loopback they come. */
  const connections = new ConnectionPool(connectionsAtMost);
  const holders = new Map<IpAddress, Set<string>>();
  const flowsToForget: Sandbox[] = [];
  /** Why, by name. */
  const uncaptured = new Map<string, string>();
  /** Why there is no listener in some, by name and transport. */
  const unheard = new Map<Transport, Map<string, string>>([
    ["udp", new Map()],
    ["tcp", new Map()],
  ]);
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
      tellChange();
    }
  }

  function tellChange(): void {
    const lacking = new Map([...[...unheard.values()].flatMap((each) => [...each]), ...uncaptured]);
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
    const sandbox = open(name, namespaceFd);
    sandboxes.set(name, sandbox);
    // Before all else: its first question may come any moment.
    attempt(name, () => install(sandbox));
    attempt(name, () => options.onAppear(name, namespaceFd));
    read(sandbox);
    sandbox.listening = listen(sandbox);
    follow(sandbox);
  }

  /** All that it needs, or nothing. */
  function open(name: string, namespaceFd: number): Sandbox {
    const opened: (() => void)[] = [() => closeSync(namespaceFd)];
    try {
      const sockets = openSandboxSockets(namespaceFd);
      for (const fd of [sockets.udpFd, sockets.tcpFd, sockets.addressFd]) opened.push(() => closeSync(fd));
      return {
        name,
        namespaceFd,
        sockets,
        owner: withNamespace(namespaceFd, openTableOwner),
        waiting: [],
        relayed: 0,
        fresh: started,
        found: { addresses: [], linkLocal: [] },
        addresses: [],
        pace: createPace(reading),
        readTimer: undefined,
        interfaces: [],
        listening: Promise.resolve([]),
        unwatch: () => undefined,
        releaseTimer: undefined,
        standing: { kind: "unknown" },
        captured: false,
        // What asked in one that was there before us may be long forgotten.
        askedPast: !started,
      };
    } catch (error) {
      for (const undo of opened) undo();
      throw error;
    }
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
    const late = withNamespace(
      namespaceFd,
      () => !installSandboxTable(sockets, owner) && (!sandbox.fresh || isConnected()),
    );
    sandbox.captured = true;
    uncaptured.delete(sandbox.name);
    hold(sandbox);
    if (late) {
      options.onLate(sandbox.name, {
        standing: () => sandbox.standing.kind,
        hasAskedPast: () => sandbox.askedPast || mayHaveAskedPast(sandbox),
      });
    }
    if (!sandbox.fresh) forgetFlowsSoon(sandbox);
    // First the engine's refusal must have found its way back: who is refused asks again by another socket at once.
    else if (late) setTimeout(() => forgetFlowsSoon(sandbox), refusedWithinMs);
    tellChange();
  }

  /** Nothing runs in a new one before it is connected. */
  function isConnected(): boolean {
    return Object.values(networkInterfaces()).some((found) => found?.some(({ internal }) => !internal));
  }

  /** Also when it cannot be told. */
  function mayHaveAskedPast(sandbox: Sandbox): boolean {
    let asked = true;
    attempt(sandbox.name, () => {
      asked = withNamespace(sandbox.namespaceFd, () => hasAskedPast(sandbox.sockets));
    });
    sandbox.askedPast ||= asked;
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
        attempt(first.name, () => {
          const count = withNamespace(first.namespaceFd, () => forgetFlowsPast(first.sockets));
          first.askedPast ||= count > 0;
        });
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

  async function listen(sandbox: Sandbox): Promise<readonly Lasting[]> {
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
    const onProblem = (problem: string): void => options.onProblem(`sandbox ${sandbox.name}: ${problem}`);
    const first = { udp: udpFd, tcp: tcpFd };
    const lasting = (transport: Transport, open: Open): Promise<Lasting> => {
      let fd: number | undefined = first[transport];
      return listenLasting({
        open: (onLost) => {
          const at = {
            fd: fd ?? reopenSandboxSocket(sandbox.namespaceFd, transport, sandbox.sockets),
            family: 4,
          } as const;
          fd = undefined;
          return open(at, onLost);
        },
        onOpen: () => {
          if (unheard.get(transport)?.delete(sandbox.name) === true) tellChange();
        },
        onProblem: (problem) => {
          onProblem(problem);
          if (sandboxes.get(sandbox.name) !== sandbox) return;
          unheard.get(transport)?.set(sandbox.name, problem);
          tellChange();
        },
      });
    };
    return Promise.all([
      lasting("udp", (at, onLost) => listenUdp(at, handler("udp"), { onProblem, onLost })),
      lasting("tcp", (at, onLost) =>
        listenTcp(
          at,
          handler("tcp"),
          {},
          { pool: connections, ownerOf: () => sandbox.name, onProblem, onLost },
        ),
      ),
    ]);
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
    if (sandbox.standing.kind === "unknown") return;
    for (const query of sandbox.waiting.splice(0)) dispatch(sandbox, query);
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
    for (const each of unheard.values()) each.delete(name);
    for (const address of sandbox.addresses) lose(address, name);
    options.onGone(name);
    clearTimeout(sandbox.releaseTimer);
    clearTimeout(sandbox.readTimer);
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
