// Where a sandbox stands, and what follows for the kernel: the addresses by which it is guarded on its other networks,
// what may come in through its ports, and whether it is cut off. All of it is in the kernel before the standing is used
// anywhere, and before the engine says whose sandbox it is.

import type { SandboxInterface } from "../../core/askers/foreign-interfaces.ts";
import { judgeSandbox } from "../../core/askers/judgement.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import type { Standing } from "../../core/askers/standing.ts";
import { StrangeBridges } from "../../core/askers/strange-bridges.ts";
import type { PortState } from "../../core/askers/unsettled.ts";
import type { Cut } from "../../core/cut.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { FoundInside } from "../../edge/sandbox/addresses.ts";
import { bridgesOf, type Port, type Ports } from "../../edge/sandbox/ports/ports.ts";
import { DockerwallError } from "../../errors.ts";
import { createAttempt, portsOf, SandboxAttempts, type TryFor } from "./attempt.ts";
import { ForeignInterfaces } from "./foreign-interfaces.ts";
import { PortGuards } from "./port-guards.ts";
import { createSandboxEntries, type SandboxEntries } from "./sandbox-entries.ts";
import { type Handover, type SenderAddresses, type SenderChange, Senders } from "./senders.ts";
import { createSettling, type JudgedPorts, type Settling } from "./settling.ts";
import type { StandingsOptions } from "./standing-options.ts";

export interface Standings {
  /** To be told before it is asked about. @param namespaceFd stays open until gone() */
  appear(sandbox: string, namespaceFd: number): void;
  /** To be called once all that can be seen have appeared; others take over theirs as they appear. */
  takeOverPorts(): void;
  /**
   * Demands of the kernel what follows for a sandbox with these addresses, and says where it stands. What that closes is
   * in there on return, what it opens not before commit().
   */
  enforce(sandbox: string, found: FoundInside): Standing;
  /** By which interfaces nothing may leave it; undefined: as it was before. */
  closedIn(sandbox: string): readonly SandboxInterface[] | undefined;
  /**
   * Everything that was demanded is in the kernel on return, that of all ports in as few steps as it takes.
   * @returns see SandboxesOptions
   */
  commit(): ReadonlyMap<string, string>;
  gone(sandbox: string): void;
  /** Begins to tell which ports are settled; all are to be judged anew then. */
  settlePorts(): void;
  /** What comes by ports that are not settled waits from now on, for so long. */
  stayAwake(ms: number): void;
  /** What is known of who sent by a port before it was settled. */
  stateOfPort(index: number): PortState;
  /** Tells of sandboxes whose ports have changed by now before it returns. */
  lookNow(): void;
  /** Forgets sandboxes and ports that are no more, those of earlier runs among them. */
  retain(isLive: (sandbox: string) => boolean): void;
  /** The ports of a sandbox, as the kernel has them now. */
  portsOf(sandbox: string): readonly Port[];
  /** How far a sandbox is cut off, read from the kernel; without a port it is not known to be wholly. */
  cutOf(sandbox: string): Cut;
  /** Puts back what another program took away. */
  heal(): void;
  /** Lets everything pass by every port, and guards none from now on. */
  release(): void;
  /** The kernel keeps everything, for who comes next. */
  close(): void;
}

/** Takes over what an earlier run left in the kernel. */
export function createStandings(options: StandingsOptions): Standings {
  return new KernelStandings(options);
}

const nobody: SenderAddresses = { senders: [], linkLocal: new Map() };

/** A sandbox that is judged, with what may be its own. */
interface Met {
  readonly asker: Asker & { readonly sandbox: string };
  readonly its: readonly Port[];
  readonly found: FoundInside;
  readonly may: SenderAddresses & SenderChange;
}

/** What a sandbox has demanded, and what is still to be done about its ports. */
interface Demand extends JudgedPorts {
  /** The addresses that are cut off no longer; undefined where nothing is to be said about that. */
  readonly uncut: readonly IpAddress[] | undefined;
}

class KernelStandings implements Standings {
  readonly #options: StandingsOptions;
  readonly #attempt: TryFor;
  readonly #judging = new SandboxAttempts();
  readonly #guards: PortGuards;
  readonly #ports: Ports;
  readonly #guardedEntries: SandboxEntries;
  readonly #cutOff: SandboxEntries;
  readonly #senders: Senders;
  readonly #foreign: ForeignInterfaces;
  readonly #strangeBridges = new StrangeBridges();
  /** Those that have appeared, also where they could not be opened. */
  readonly #there = new Set<string>();
  /** From takeOverPorts() on. */
  #areAllThere = false;
  /** By sandbox, until commit(): what it demanded last. */
  #demands = new Map<string, Demand>();
  /** From settlePorts() on. */
  #settling: Settling | undefined;

  constructor(options: StandingsOptions) {
    const { sets, readiness, engine, owners, found, onProblem } = options;
    this.#options = options;
    this.#attempt = createAttempt(onProblem);
    const onGone = (): void => this.#forgetPorts();
    this.#ports = options.openPorts({ readiness, onChange: options.onChange, onGone, onProblem });
    this.#guards = new PortGuards({
      table: options.table,
      networkOn: (bridge) => engine.indexNow().networkOn(bridge),
      bridgeOf: (index) => this.#ports.bridgeOf(index),
      cutInside: found.cutInside,
      isCutInside: found.isCutInside,
      attempt: this.#attempt,
      attemptOf: this.#judging.attempt,
    });
    this.#guardedEntries = createSandboxEntries(sets, "guarded", options.onSecondPart);
    this.#cutOff = createSandboxEntries(sets, "quarantine");
    this.#foreign = new ForeignInterfaces({
      engine,
      found,
      nowMs: options.nowMs,
      onChange: options.onForeignInterfaces,
    });
    this.#senders = new Senders({
      ...found,
      indexNow: engine.indexNow,
      ownerOf: owners.ownerOf,
      portsOf: (sandbox) => this.#ports.of(sandbox),
      linkLocalBefore: (address, bridge) =>
        this.#guards.inheritedAt(address, bridge).map((index) => this.#ports.ownerOf(index)),
    });
  }

  appear(sandbox: string, namespaceFd: number): void {
    this.#there.add(sandbox);
    this.#ports.appear(sandbox, namespaceFd);
    if (this.#areAllThere) this.#adoptPortsOf((owner) => owner === sandbox);
  }

  takeOverPorts(): void {
    this.#areAllThere = true;
    this.#adoptPortsOf((owner) => this.#there.has(owner));
  }

  enforce(sandbox: string, found: FoundInside): Standing {
    this.#forgetDemand(sandbox);
    const addresses = [...new Set(found.addresses.map(({ address }) => address))];
    const its = this.#ports.of(sandbox);
    const asker = this.#options.engine.meet(sandbox, addresses);
    const may = this.#senders.claim(asker, its, found);
    try {
      this.#judgeAgain([...may.losers]);
      return this.#judge({ asker, its, found, may });
    } finally {
      // Whatever has failed: when it is judged again, it has nothing left to give up.
      this.#passOn(may, sandbox);
    }
  }

  closedIn(sandbox: string): readonly SandboxInterface[] | undefined {
    return this.#foreign.closedIn(sandbox);
  }

  commit(): ReadonlyMap<string, string> {
    const demands = [...this.#demands.values()];
    this.#demands.clear();
    const refused = this.#guards.commit();
    for (const { sandbox, its, uncut } of demands)
      if (uncut !== undefined) this.#cut(sandbox, its, uncut, false);
    this.#settle(
      demands.map((each) => (refused.has(each.sandbox) ? { ...each, state: "unknown" as const } : each)),
    );
    return this.#judging.take();
  }

  /** What the kernel refuses of it, as without a set, leaves nothing else of it behind. */
  gone(sandbox: string): void {
    let handover: Handover = { released: [], heirs: new Set() };
    this.#there.delete(sandbox);
    const steps = [
      () => this.#guardedEntries.put(sandbox, []),
      () => this.#cutOff.put(sandbox, []),
      () => this.#strangeBridges.gone(sandbox),
      () => this.#foreign.gone(sandbox),
      () => this.#settling?.gone(sandbox),
      () => this.#forgetDemand(sandbox),
      () => this.#guards.gone(sandbox),
      () => {
        handover = this.#senders.gone(sandbox);
      },
      () => this.#ports.gone(sandbox),
      () => this.#passOn(handover, sandbox),
    ];
    for (const step of steps) this.#attempt(`sandbox ${sandbox}`, step);
  }

  lookNow(): void {
    this.#ports.lookNow();
  }

  settlePorts(): void {
    const {
      found: { isComplete },
      nowMs,
    } = this.#options;
    if (this.#guards.areInForce) this.#settling ??= createSettling({ ports: this.#ports, isComplete, nowMs });
  }

  stayAwake(ms: number): void {
    this.#settling?.stayAwake(ms);
  }

  stateOfPort(index: number): PortState {
    return this.#settling?.stateOf(index) ?? "open";
  }

  retain(isLive: (sandbox: string) => boolean): void {
    for (const entries of [this.#guardedEntries, this.#cutOff])
      this.#attempt("sandboxes that are gone", () => entries.retain(isLive));
    this.#forgetPorts();
  }

  portsOf(sandbox: string): readonly Port[] {
    return this.#ports.of(sandbox);
  }

  cutOf(sandbox: string): Cut {
    return this.#guards.cutOf(sandbox, this.#ports.of(sandbox));
  }

  heal(): void {
    this.#guards.heal();
    this.#attempt("the host's bridges", () => this.#settling?.heal());
    this.#attempt("quarantine", () => this.#healCutOff());
  }

  release(): void {
    const settling = this.#settling;
    this.#settling = undefined;
    try {
      settling?.close();
    } finally {
      this.#guards.release();
    }
  }

  close(): void {
    this.#settling?.close();
    this.#guards.close();
  }

  #judge({ asker, its, found, may }: Met): Standing {
    const { indexNow, unknownSandboxesNow, markUndecided, hearOf } = this.#options.engine;
    const { sandbox } = asker;
    const index = indexNow();
    const unknownSandboxes = unknownSandboxesNow();
    const bridges = bridgesOf(its);
    const strange = index.strangersAmong(bridges);
    const awaitsList = this.#awaitsList(sandbox, strange);
    const evidence = { index, unknownSandboxes, asker, addresses: may.senders, bridges, strange, awaitsList };
    const { standing, quarantine, isGuarded, isUndecided } = judgeSandbox(evidence);
    const unheard = this.#mayBeOnBoth(standing, asker);
    const isListAwaited = this.#foreign.judge({ asker, standing, found, its });
    markUndecided(sandbox, isUndecided || unheard || isListAwaited);
    if (standing.kind === "guarded") hearOf(asker);
    const isKnown = standing.kind !== "unknown";
    // Before anything that may fail. What an earlier run knew of a sandbox counts until this one does.
    const isCut =
      quarantine === "unread" || quarantine === "no" || this.#cut(sandbox, its, may.senders, true);
    // Its ports may let in less by what was demanded for it: that comes before anything is another's.
    if (may.senders.some((address) => this.#isAnothers(address, sandbox))) this.#guards.flush();
    // What was another's until now leaves by that one's ports no more.
    const isAlone = isKnown && this.#guards.withhold(sandbox, its, may);
    const senders = this.#options.owners.own(may.senders, sandbox);
    const guarded = isGuarded ? indexNow().guardedAddressesOf(may.senders, bridges) : [];
    if (isKnown) this.#guardedEntries.put(sandbox, guarded);
    const isFilledIn = standing.kind === "open" && !isGuarded ? true : this.#fillIn(asker, its);
    const mayBeLetIn = isFilledIn && isCut;
    // What cannot be cut off is let in by its ports as little as can be, were it on no guarded network.
    const letIn = mayBeLetIn ? { ...may, senders } : nobody;
    const accepted = isAlone && this.#guards.put(sandbox, its, letIn, isGuarded || !mayBeLetIn);
    const isInForce = accepted && mayBeLetIn;
    const state = isInForce && !isUndecided && !unheard ? standing.kind : "unknown";
    this.#demand({ sandbox, its, state, uncut: quarantine === "no" ? may.senders : undefined });
    // What closes is in force on return; and what it gives up is so by its ports before what was granted there is taken.
    if (!mayBeLetIn || may.released.length > 0) this.#guards.flush();
    return isUndecided ? { kind: "unknown" } : standing;
  }

  /** Who has moved an interface elsewhere is known by what an earlier run let in by its port. */
  #adoptPortsOf(isMeant: (owner: string) => boolean): void {
    const { owners } = this.#options;
    for (const [index, addresses] of this.#guards.inherited()) {
      const [owner, another] = new Set(addresses.flatMap((address) => owners.ownerOf(address) ?? []));
      if (owner !== undefined && another === undefined && isMeant(owner)) this.#ports.adopt(index, owner);
    }
  }

  #healCutOff(): void {
    const taken = this.#cutOff.takeUnknown();
    if (taken.length > 0)
      this.#options.onProblem(
        `another program put ${taken.length} addresses into quarantine that are of no container there; they are out again`,
      );
  }

  /** Addresses that it had are those of others who have them on. */
  #passOn({ released, heirs }: Handover, sandbox: string): void {
    const { owners } = this.#options;
    for (const address of released) this.#attempt(`sandbox ${sandbox}`, () => owners.lost(address, sandbox));
    this.#judgeAgain([...heirs]);
  }

  #judgeAgain(sandboxes: readonly string[]): void {
    if (sandboxes.length > 0) this.#options.onChange(sandboxes);
  }

  #isAnothers(address: IpAddress, sandbox: string): boolean {
    const holder = this.#options.owners.ownerOf(address);
    return holder !== undefined && holder !== sandbox;
  }

  #demand(demand: Demand): void {
    // What comes by its ports waits from now on.
    if (demand.state === "unknown") this.#settle([demand]);
    this.#demands.set(demand.sandbox, demand);
  }

  /** What it demanded before, and what is not in force yet, is not what it demands now. */
  #forgetDemand(sandbox: string): void {
    this.#demands.delete(sandbox);
    this.#guards.forget(sandbox);
    this.#judging.forget(sandbox);
  }

  #awaitsList(sandbox: string, strange: readonly string[]): boolean {
    const { nowMs, engine } = this.#options;
    return this.#strangeBridges.note(sandbox, strange, nowMs(), engine.listedAtMs());
  }

  /** By its ports alone it is on no guarded network; what the engine has of it may tell of one that it has not joined yet. */
  #mayBeOnBoth({ kind }: Standing, asker: Asker): boolean {
    return this.#settling !== undefined && kind === "open" && this.#options.engine.isUnheard(asker);
  }

  /** What is refused of it keeps back none of the rest. @returns whether all of it was done */
  #cut(sandbox: string, its: readonly Port[], senders: readonly IpAddress[], cut: boolean): boolean {
    const places = cut ? senders.map((address) => ({ address })) : [];
    const isListed = this.#judging.attempt(sandbox, `sandbox ${sandbox}`, () =>
      this.#cutOff.put(sandbox, places),
    );
    return this.#guards.cut(sandbox, its, cut) && isListed;
  }

  /** What comes by its ports has all that was left to be filled in. @returns false where that is not so */
  #fillIn(asker: Asker & { readonly sandbox: string }, its: readonly Port[]): boolean {
    const { engine, found } = this.#options;
    const { sandbox } = asker;
    const pairs = its.flatMap(({ index, peer }) =>
      peer === undefined ? [] : [{ index: peer, port: index }],
    );
    let isDone = true;
    const done = this.#judging.attempt(sandbox, `sandbox ${sandbox}`, () => {
      if (!engine.mayForge(asker)) found.giveBackChecksums(sandbox);
      else if (pairs.length === its.length) isDone = found.keepChecksums(sandbox, pairs);
      else
        throw new DockerwallError("KERNEL_REFUSED", "the kernel does not tell which interface is at a port");
    });
    return done && isDone;
  }

  #settle(all: readonly JudgedPorts[]): void {
    const settling = this.#settling;
    if (settling === undefined) return;
    // One that is on no bridge yet has no guard either.
    const onBridges = all.map((each) => ({
      ...each,
      its: each.its.filter(({ bridge }) => bridge !== undefined),
    }));
    try {
      settling.judged(onBridges);
    } catch {
      // Whose the refusal is, and why, is found out one by one.
      for (const each of onBridges)
        this.#judging.attempt(each.sandbox, portsOf(each.sandbox), () => settling.judged([each]));
    }
  }

  #forgetPorts(): void {
    this.#guards.retain((index) => this.#ports.isPresent(index));
    this.#attempt("ports that are gone", () => this.#settling?.retain());
  }
}
