// The control plane's sets, filled from the last picture and from what the host has.

import { BridgeClaims } from "../../core/classify/bridge-claims.ts";
import { whyHosts } from "../../core/classify/bridge-ports.ts";
import { LostBridges } from "../../core/classify/lost-bridges.ts";
import { type Classification, classify } from "../../core/classify/networks.ts";
import { WaysOut } from "../../core/classify/ways-out.ts";
import { type DesiredSets, desiredSets } from "../../core/firewall/members.ts";
import { setNames } from "../../core/firewall/names.ts";
import { tellUnplaced } from "../../core/firewall/unplaced.ts";
import { type Prefix, renderPrefix } from "../../core/model/address.ts";
import type { Topology } from "../../core/model/topology.ts";
import { groupOverrides } from "../../core/policy/override.ts";
import { applySets, createSets, listedBridges, setsExist } from "../../edge/kernel/ipset/desired-sets.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { membersOf } from "../../edge/kernel/ipset/member-entries.ts";
import { arePartsWide } from "../../edge/kernel/ipset/parts.ts";
import { messageOf } from "../../errors.ts";
import type { WallOptions } from "./options.ts";
import type { Quarantines } from "./quarantines.ts";

export type WallSetsOptions = Pick<
  WallOptions,
  | "sets"
  | "listBridges"
  | "lookAtBridges"
  | "forgetUnjudged"
  | "uptimeMs"
  | "networksReadAtMs"
  | "policy"
  | "hold"
  | "ownContainer"
> & {
  /** Whether an earlier run left its sets. */
  readonly adopted: boolean;
  readonly quarantines: Quarantines;
};

const ranges = [
  [setNames.ranges4, setNames.audit4],
  [setNames.ranges6, setNames.audit6],
] as const;

/** What the kernel holds of an earlier run. */
function heldRanges(sets: KernelSets): Pick<DesiredSets, "members"> {
  return { members: new Map(ranges.flat().map((name) => [name, membersOf(sets, name)])) };
}

function judgedRanges({ members }: Pick<DesiredSets, "members">): Map<string, Prefix> {
  return new Map(
    ranges.flatMap(([all, audited]) => {
      const textsOf = (name: string): (readonly [string, Prefix])[] =>
        (members.get(name) ?? []).map(({ prefix }) => [renderPrefix(prefix), prefix]);
      const without = new Set(textsOf(audited).map(([text]) => text));
      return textsOf(all).filter(([text]) => !without.has(text));
    }),
  );
}

export class WallSets {
  readonly #options: WallSetsOptions;
  readonly #claims: BridgeClaims;
  readonly #losses = new LostBridges();
  readonly #waysOut = new WaysOut();
  #last: Topology = { networks: [], containers: [] };
  /** The bridges that are guarded now, or were by an earlier run. */
  #guarded: ReadonlySet<string>;
  /** What is guarded and not in audit mode, by its text. */
  #judged: ReadonlyMap<string, Prefix> = new Map();
  /** Those of these in which nothing is left that is older than the rules. */
  #forgotten: Set<string>;
  #unforgotten: string | undefined;
  /** Until every container has been read, the entries of an earlier run are not removed. */
  #isComplete = false;

  /** The sets must exist. */
  constructor(options: WallSetsOptions) {
    const { sets, listBridges, adopted, uptimeMs } = options;
    this.#options = options;
    this.#guarded = new Set(adopted ? listedBridges(sets, setNames.closed4) : []);
    this.#forgotten = adopted ? new Set(judgedRanges(heldRanges(sets)).keys()) : new Set();
    this.#claims = new BridgeClaims({
      bridges: listBridges(),
      open: new Set(listedBridges(sets, setNames.open4)),
      held: adopted,
      nowMs: uptimeMs(),
    });
  }

  /** Updates the sets to the picture; in force on return. */
  classify(topology: Topology): Classification {
    const { sets } = this.#options;
    this.#last = topology;
    if (!setsExist(sets)) {
      createSets(sets);
      this.#forgotten.clear();
    }
    const classification = this.#decide(topology);
    const keeps = this.#isComplete ? "replace" : "keep";
    this.#guarded = new Set(classification.guarded.map(({ bridge }) => bridge));
    const desired = desiredSets(classification);
    const { unplaced } = applySets(sets, desired, keeps);
    this.#judged = judgedRanges(desired);
    for (const key of this.#forgotten) if (!this.#judged.has(key)) this.#forgotten.delete(key);
    const { containers } = classification;
    const problems = [
      ...containers.problems,
      ...tellUnplaced(unplaced),
      ...(this.#unforgotten === undefined ? [] : [this.#unforgotten]),
    ];
    return problems.length === containers.problems.length
      ? classification
      : { ...classification, containers: { ...containers, problems } };
  }

  /**
   * To be called with the rules in force. What began in a range before they knew it has been judged by none: it may be
   * another's, under its address. So may what came in while the range was in audit mode.
   */
  forgetFlows(): void {
    const begun = [...this.#judged].filter(([key]) => !this.#forgotten.has(key));
    if (begun.length === 0) return;
    try {
      this.#options.forgetUnjudged(begun.map(([, prefix]) => prefix));
      this.#forgotten = new Set(this.#judged.keys());
      this.#unforgotten = undefined;
    } catch (error) {
      const ranges = begun.map(([key]) => key).join(", ");
      this.#unforgotten = `flows that began in ${ranges} before it was guarded go on, as the kernel does not forget them (${messageOf(error)}): this is tried again with every change; restart what has such flows`;
    }
  }

  /** Whether rules must look through all parts of the sets that have several. */
  areWide(): boolean {
    return arePartsWide(this.#options.sets);
  }

  /** Makes the sets anew, if there are none, and fills them as they were last. */
  restore(): void {
    this.classify(this.#last);
  }

  /** From now on pictures contain every container. */
  becomeComplete(): void {
    this.#isComplete = true;
  }

  /** True while another reading of the engine's networks would release a bridge, or tell that a network has lost its. */
  awaitsReading(): boolean {
    const { hold, uptimeMs } = this.#options;
    const nowMs = uptimeMs();
    return (hold && this.#claims.awaitsReading(nowMs)) || this.#losses.awaitsReading(nowMs);
  }

  #decide(topology: Topology): Classification {
    const { listBridges, lookAtBridges, uptimeMs, hold, quarantines, ownContainer } = this.#options;
    quarantines.observe(topology);
    const bridges = listBridges();
    const claimed = new Set(topology.networks.flatMap(({ bridge }) => bridge ?? []));
    const foundOn = lookAtBridges();
    const isHosts = (bridge: string): boolean => whyHosts(foundOn(bridge)) !== undefined;
    const reading = { claimed, begunAtMs: this.#options.networksReadAtMs(), isHosts };
    const nowMs = uptimeMs();
    const foreign = this.#claims.observe(bridges, reading, nowMs);
    const lost = this.#losses.observe(bridges, reading, nowMs);
    const waysOut = this.#waysOut.observe({
      networks: topology.networks,
      bridges,
      guarded: this.#guarded,
      isWayOut: (bridge) => foundOn(bridge).isWayOut,
    });
    const { store, file, overrides } = this.#options.policy();
    return classify({
      topology,
      bridges,
      policy: { store, file: file(), overrides: groupOverrides(overrides.current()), nowMs },
      foreign,
      lost,
      foundOn,
      waysOut,
      held: hold ? this.#claims.held() : [],
      quarantine: quarantines.ids,
      endedQuarantines: quarantines.ended,
      own: ownContainer,
    });
  }
}
