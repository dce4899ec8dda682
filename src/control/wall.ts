// The control plane's hold on the kernel: turns the engine's picture into sets (at once, synchronously) and rules
// (checked after every change and on a timer). Sets come first: a rule never names a set that is not filled.

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
  /** Whether an earlier run already guarded ports. */
  readonly demandSender?: boolean;
  readonly listBridges: () => readonly string[];
  /** Finds what is attached to bridges and belongs to no container, in words. */
  readonly lookAtBridges: () => (bridge: string) => readonly string[];
  /** Milliseconds of a clock that only goes forward, the one that dates readings of the engine. */
  readonly uptimeMs: () => number;
  /** When the last complete reading of the engine's networks began. */
  readonly networksReadAtMs: () => number | undefined;
  /** What decides besides labels, at the time of the call. */
  readonly policy: () => WallPolicy;
  /** Id of the container that this process runs in. */
  readonly ownContainer?: string | undefined;
  /** Whether an earlier run left its sets; given by a caller that has created the missing ones since. */
  readonly adopted?: boolean;
}

export interface WallPolicy {
  readonly store: ListStore;
  /** The last good policy file. */
  file(): PolicyFile;
  /** Made by command. */
  readonly overrides: { current(): readonly Override[] };
}

export interface Wall {
  /** Updates the sets to the picture; in force on return. */
  classify(topology: Topology): Classification;
  /**
   * Puts the rules of both families right, after recreating the sets that they name if these were destroyed. Resolves
   * to the families that had to change.
   */
  applyRules(): Promise<readonly Family[]>;
  /** True while a bridge is held that another reading of the engine's networks would release. */
  awaitsReading(): boolean;
  /**
   * From the next applyRules() on, only packets that were seen at their sender's port pass: the ports are guarded now.
   * @returns false if that was already so
   */
  demandSenders(): boolean;
  /** Whether the rules of both families are as they should be; changes nothing. */
  stands(): Promise<boolean>;
  /** Rules of other software, in either variant, that write bits of our marks; one sentence each. */
  foreignMarks(): Promise<readonly string[]>;
  /** Calls back when rules near ours change, where the kernel reports it; see Firewall.watch(). */
  watchRules(readiness: Readiness, onChange: () => void, onFailure: (error: unknown) => void): void;
  /** Removes what an earlier run, or the boot guard, left in the other iptables variant. */
  cleanOther(): Promise<void>;
  /** Ids of the containers that are cut off. The caller changes it; a change is in force after classify(). */
  readonly quarantine: Set<string>;
  /**
   * To be called with a complete topology: drops quarantined containers that no longer exist, and lets classify()
   * remove entries that are no longer needed.
   */
  forgetGone(topology: Topology): void;
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

/** How often to put rules back if their sets are destroyed meanwhile. */
const rounds = 5;

export function createWall(options: WallOptions): Wall {
  const { sets, firewall } = options;
  /** Until every container has been read, the entries of an earlier run are not removed. */
  let complete = false;
  let last: Topology = { networks: [], containers: [] };
  const adopted = options.adopted ?? setsExist(sets);
  /** Without rules of ours on the host, we have the kernel check all of them first: each table goes in separately. */
  let tried = adopted;
  createSets(sets);
  const claims = new BridgeClaims({
    bridges: options.listBridges(),
    open: new Set(listedBridges(sets, setNames.open4)),
    held: adopted,
    nowMs: options.uptimeMs(),
  });
  // Containers that an earlier run put into quarantine stay there: the sets remember them.
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
    const { store, file, overrides } = options.policy();
    const classification = classify({
      topology,
      bridges,
      policy: {
        store,
        file: file(),
        overrides: groupOverrides(overrides.current()),
        nowMs: options.uptimeMs(),
      },
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
        // The sets may be destroyed while the rules that name them are being put back.
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
      // The unit may have put the hold into this variant, and cleaning would remove everything of ours there.
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
      throw new DockerwallError(
        "KERNEL_REFUSED",
        `these sets are left in the kernel: ${left.join(", ")}; run dockerwall uninstall again`,
      );
    },
  };
}
