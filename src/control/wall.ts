// The control plane's hold on the kernel: from the engine's picture to sets (at once, synchronously) and rules
// (checked after every change and on a timer). Sets first: a rule never names a set that is not filled.

import { BridgeClaims } from "../core/classify/bridge-claims.ts";
import { type Classification, classify } from "../core/classify/networks.ts";
import { findForeignMarks, renderForeignMark } from "../core/firewall/foreign-marks.ts";
import { sandboxOf, setNames } from "../core/firewall/names.ts";
import { desiredRules } from "../core/firewall/ruleset.ts";
import { desiredSets } from "../core/firewall/sets.ts";
import type { Family } from "../core/model/address.ts";
import type { Topology } from "../core/model/topology.ts";
import type { ListStore } from "../core/policy/list-store.ts";
import { groupOverrides, type Override } from "../core/policy/override.ts";
import type { PolicyFile } from "../core/policy/policy-file.ts";
import type { Firewall, Ruleset } from "../edge/kernel/firewall.ts";
import {
  applySets,
  createSets,
  destroySets,
  listedBridges,
  setsExist,
} from "../edge/kernel/ipset/desired-sets.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { Readiness } from "../edge/kernel/readiness.ts";
import { DockerwallError } from "../errors.ts";

export interface WallOptions {
  readonly sets: KernelSets;
  readonly firewall: Firewall;
  readonly dnsPort: number;
  readonly queueNumber: number;
  readonly hold: boolean;
  /** Whether ports have been guarded already, by an earlier run. */
  readonly demandSender?: boolean;
  readonly listBridges: () => readonly string[];
  /** Takes a look at what hangs on bridges that is no container's, in words. */
  readonly lookAtBridges: () => (bridge: string) => readonly string[];
  /** Milliseconds of a clock that only goes forward, the one that readings of the engine are told by and rules end by. */
  readonly uptimeMs: () => number;
  /** When the last complete reading of the engine's networks began. */
  readonly networksReadAtMs: () => number | undefined;
  /** What decides beside labels, whenever it is asked for. */
  readonly policy: () => WallPolicy;
  /** Id of the container that this process is in. */
  readonly ownContainer?: string | undefined;
}

export interface WallPolicy {
  readonly store: ListStore;
  /** The last good policy file. */
  file(): PolicyFile;
  /** The rules made by command. */
  readonly rules: { current(): readonly Override[] };
}

export interface Wall {
  /** Brings the sets to the picture; in force on return. */
  classify(topology: Topology): Classification;
  /**
   * Brings the rules of both families to what they should be, and first the sets that they name where somebody
   * destroyed them; resolves to the families that had to change.
   */
  applyRules(): Promise<readonly Family[]>;
  /** True when a bridge is held that another reading of the engine's networks would let go. */
  awaitsReading(): boolean;
  /**
   * From the next applyRules() on, only what was seen at its sender's port passes: the ports are guarded now.
   * @returns false when that was so already
   */
  demandSenders(): boolean;
  /** Whether the rules of both families are what they should be, without touching them. */
  stands(): Promise<boolean>;
  /** The rules of others, in either variant, that write bits of our marks; one sentence each. */
  foreignMarks(): Promise<readonly string[]>;
  /** Calls back when somebody changes rules near ours, where the kernel tells of it. */
  watchRules(readiness: Readiness, onChange: () => void): void;
  /** Removes what an earlier run, or the boot guard, left in the other variant of iptables. */
  cleanOther(): Promise<void>;
  /** Ids of the containers that are cut off, to be changed by whoever decides on it; in force with classify(). */
  readonly quarantine: Set<string>;
  /**
   * To be called with every container that there is: forgets who was in quarantine and is gone for good, and lets
   * classify() take out what nobody needs any more.
   */
  forgetGone(topology: Topology): void;
  /**
   * Whether what holds the questions of a starting engine is left alone; in force with the next applyRules() and
   * cleanOther().
   * @returns false when that was so already
   */
  spareQuestions(spare: boolean): boolean;
  /** Lets go of bridges that nobody has classified, and of those that come from now on; what is guarded stays guarded. */
  liftHold(): Promise<void>;
  /** Removes rules, in either variant, and sets. @throws DockerwallError naming what is left */
  remove(): Promise<void>;
}

/** How often rules are put back whose sets are destroyed meanwhile. */
const rounds = 5;

export function createWall(options: WallOptions): Wall {
  const { sets, firewall } = options;
  /** Until every container has been read, what an earlier run put there for one is not taken out. */
  let complete = false;
  let last: Topology = { networks: [], containers: [] };
  const adopted = setsExist(sets);
  /** On a host without any of ours the kernel looks at all rules before it takes one: a table goes in by itself. */
  let tried = adopted;
  createSets(sets);
  const claims = new BridgeClaims({
    bridges: options.listBridges(),
    open: new Set(listedBridges(sets, setNames.open4)),
    held: adopted,
    nowMs: options.uptimeMs(),
  });
  // What an earlier run put into quarantine stays there: the sets remember.
  const quarantine = new Set(
    [setNames.quarantine4, setNames.quarantine6].flatMap((name) =>
      sets.list(name).flatMap(({ comment }) => (sandboxOf(comment) === undefined ? (comment ?? []) : [])),
    ),
  );

  let ruleset: Ruleset;
  let hold = options.hold;
  let demandSender = options.demandSender === true;
  let spareQuestions = false;
  const makeRules = (): void => {
    ruleset = new Map(
      ([4, 6] as const).map((family) => [
        family,
        desiredRules({ ...options, family, hold, demandSender, spareQuestions }),
      ]),
    );
  };
  makeRules();

  function classifyNow(topology: Topology): Classification {
    last = topology;
    if (!setsExist(sets)) createSets(sets);
    const bridges = options.listBridges();
    const claimed = new Set(topology.networks.flatMap(({ bridge }) => bridge ?? []));
    const strangersOn = options.lookAtBridges();
    const isHosts = (bridge: string): boolean => strangersOn(bridge).length > 0;
    const reading = { claimed, begunAtMs: options.networksReadAtMs(), isHosts };
    const foreign = claims.observe(bridges, reading, options.uptimeMs());
    const { store, file, rules } = options.policy();
    const classification = classify({
      topology,
      bridges,
      policy: { store, file: file(), rules: groupOverrides(rules.current()), nowMs: options.uptimeMs() },
      foreign,
      strangersOn,
      held: options.hold ? claims.held() : [],
      quarantine,
      own: options.ownContainer,
    });
    applySets(sets, desiredSets(classification), complete ? "replace" : "keep");
    return classification;
  }

  async function applyRules(): Promise<readonly Family[]> {
    for (let round = 1; ; round++) {
      if (!setsExist(sets)) classifyNow(last);
      try {
        if (!tried) await firewall.dryRun(ruleset);
        tried = true;
        return await firewall.apply(ruleset);
      } catch (error) {
        // Somebody who destroys the sets too does so while the rules that name them are being put back.
        if (round === rounds || setsExist(sets)) throw error;
      }
    }
  }

  return {
    quarantine,

    watchRules: firewall.watch,

    stands: () => firewall.stands(ruleset),

    awaitsReading: () => options.hold && claims.awaitsReading(options.uptimeMs()),

    async foreignMarks() {
      const saved = await Promise.all(([4, 6] as const).flatMap(firewall.saves));
      const marks = saved.flatMap(findForeignMarks);
      return [...new Set(marks.map(renderForeignMark))];
    },

    async cleanOther() {
      // The unit may have put it there, and what this variant is to be rid of is everything of ours.
      if (!spareQuestions) await firewall.cleanOther();
    },

    classify: classifyNow,

    applyRules,

    demandSenders() {
      if (demandSender) return false;
      demandSender = true;
      makeRules();
      return true;
    },

    spareQuestions(spare) {
      if (spareQuestions === spare) return false;
      spareQuestions = spare;
      makeRules();
      return true;
    },

    async liftHold() {
      hold = false;
      makeRules();
      await applyRules();
    },

    forgetGone({ containers }) {
      complete = true;
      const ids = new Set(containers.map(({ id }) => id));
      for (const id of quarantine) if (!ids.has(id)) quarantine.delete(id);
    },

    async remove() {
      await firewall.remove();
      destroySets(sets);
      const left = sets.names().filter((name) => name.startsWith("dockerwall-"));
      if (left.length === 0) return;
      throw new DockerwallError("KERNEL_REFUSED", `sets are left in the kernel: ${left.join(", ")}`);
    },
  };
}
