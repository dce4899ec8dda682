// The control plane's hold on the kernel: turns the engine's picture into sets (at once, synchronously) and rules
// (checked after every change and on a timer). Sets come first: a rule never names a set that is not filled.

import type { Classification } from "../core/classify/networks.ts";
import { findDirectAccess } from "../core/firewall/direct-access.ts";
import { findForeignMarks, renderForeignMark } from "../core/firewall/foreign-marks.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { Topology } from "../core/model/topology.ts";
import type { ChangedRules } from "../edge/kernel/firewall.ts";
import { createSets, setsAreFilled, setsExist } from "../edge/kernel/ipset/desired-sets.ts";
import type { Readiness } from "../edge/kernel/readiness.ts";
import { readQuarantine } from "./quarantine.ts";
import { removeSets } from "./removal.ts";
import type { WallOptions } from "./wall/options.ts";
import { Quarantines } from "./wall/quarantines.ts";
import { WallRules } from "./wall/rules.ts";
import { WallSets } from "./wall/sets.ts";

export interface Wall {
  /** Updates the sets to the picture; in force on return. What finds no place in a set is a problem of the result. */
  classify(topology: Topology): Classification;
  /**
   * From the next applyRules() on, the rules look through as many parts of sets as classify() has filled.
   * @returns false if they do already
   */
  followParts(): boolean;
  /**
   * Puts the rules of both families right, after recreating the sets that they name if these were destroyed. Resolves
   * to what had to change.
   */
  applyRules(): Promise<readonly ChangedRules[]>;
  /** True while another reading of the engine's networks would release a bridge, or tell that a network has lost its. */
  awaitsReading(): boolean;
  /**
   * From the next applyRules() on, only packets that were seen at their sender's port pass: the ports are guarded now.
   * @returns false if that was already so
   */
  demandSenders(): boolean;
  /** Redirected lookups go to this port from the next applyRules() on. */
  leadTo(dnsPort: number): void;
  /** Whether the rules of both families are as they should be; changes nothing. */
  stands(): Promise<boolean>;
  /** Rules of other software, in either variant, that write bits of our marks; one sentence each. */
  foreignMarks(): Promise<readonly string[]>;
  /** Addresses of containers to which the engine itself lets packets come by one bridge only. */
  directAccess(): Promise<ReadonlyMap<IpAddress, string>>;
  /** Calls back when rules near ours change, where the kernel reports it; see Firewall.watch(). */
  watchRules(readiness: Readiness, onChange: () => void, onFailure: (error: unknown) => void): void;
  /** Removes what an earlier run, or the boot guard, left in the other iptables variant. */
  cleanOther(): Promise<void>;
  /** Ids of the containers that are cut off. The caller changes it; a change is in force after classify(). */
  readonly quarantine: Set<string>;
  /**
   * To be called with a complete topology: drops quarantined containers that no longer exist, and lets classify()
   * remove entries that are no longer needed.
   * @returns what these containers were called
   */
  forgetGone(topology: Topology): readonly string[];
  /**
   * The container of this name is meant to be out of quarantine, although one of its name was in it; classify() warns no
   * more.
   * @returns whether it did
   */
  acceptSuccessor(name: string): boolean;
  /**
   * Whether to leave the hold on a starting engine's questions alone; in force with the next applyRules() and
   * cleanOther().
   * @returns false if that was already so
   */
  spareQuestions(spare: boolean): boolean;
  /** Releases unclassified bridges, present and future; guarded networks stay guarded. */
  liftHold(): Promise<void>;
  /** Removes the rules, in either variant, and the sets. @throws DockerwallError naming what is left */
  remove(): Promise<void>;
}

export function createWall(options: WallOptions): Wall {
  const { sets, firewall } = options;
  const areFilled = setsAreFilled(sets);
  const adopted = options.adopted ?? areFilled;
  createSets(sets);
  const quarantines = new Quarantines(readQuarantine(sets));
  const filled = new WallSets({ ...options, adopted, quarantines });
  const rules = new WallRules({
    ...options,
    switches: {
      hold: options.hold,
      demandSender: options.demandSender === true,
      spareQuestions: false,
      wide: filled.areWide(),
    },
    tried: areFilled,
    setsExist: () => setsExist(sets),
    restoreSets: () => filled.restore(),
    onApplied: () => filled.useRules(true),
  });
  const savedRules = (): Promise<readonly string[]> => Promise.all(([4, 6] as const).flatMap(firewall.saves));
  return {
    quarantine: quarantines.ids,
    watchRules: firewall.watch,
    stands: () => rules.stands(),
    awaitsReading: () => filled.awaitsReading(),
    async directAccess() {
      return new Map((await savedRules()).flatMap((text) => [...findDirectAccess(text)]));
    },
    async foreignMarks() {
      const marks = (await savedRules()).flatMap(findForeignMarks);
      return [...new Set(marks.map(renderForeignMark))];
    },
    async cleanOther() {
      // The unit may have put the hold into this variant, and cleaning would remove everything of ours there.
      if (!rules.switches.spareQuestions) await firewall.cleanOther();
    },
    classify: (topology) => filled.classify(topology),
    followParts: () => rules.change("wide", filled.areWide()),
    applyRules: () => rules.apply(),
    demandSenders: () => rules.change("demandSender", true),
    leadTo: (dnsPort) => rules.leadTo(dnsPort),
    spareQuestions: (spare) => rules.change("spareQuestions", spare),
    async liftHold() {
      rules.change("hold", false);
      await rules.apply();
    },
    forgetGone(topology) {
      filled.becomeComplete();
      return quarantines.forgetGone(topology);
    },
    acceptSuccessor: (name) => quarantines.accept(name),
    async remove() {
      filled.useRules(false);
      await firewall.remove();
      removeSets(sets);
    },
  };
}
