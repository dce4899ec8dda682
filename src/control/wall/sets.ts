// The control plane's sets, filled from the last picture and from what the host has.

import { BridgeClaims } from "../../core/classify/bridge-claims.ts";
import { whyHosts } from "../../core/classify/bridge-ports.ts";
import { LostBridges } from "../../core/classify/lost-bridges.ts";
import { type Classification, classify } from "../../core/classify/networks.ts";
import { WaysOut } from "../../core/classify/ways-out.ts";
import { desiredSets } from "../../core/firewall/members.ts";
import { setNames } from "../../core/firewall/names.ts";
import { tellUnplaced } from "../../core/firewall/unplaced.ts";
import type { Topology } from "../../core/model/topology.ts";
import { groupOverrides } from "../../core/policy/override.ts";
import { applySets, createSets, listedBridges, setsExist } from "../../edge/kernel/ipset/desired-sets.ts";
import { arePartsWide } from "../../edge/kernel/ipset/parts.ts";
import { OlderFlows } from "./older-flows.ts";
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

export class WallSets {
  readonly #options: WallSetsOptions;
  readonly #claims: BridgeClaims;
  readonly #losses = new LostBridges();
  readonly #waysOut = new WaysOut();
  readonly #olderFlows: OlderFlows;
  #last: Topology = { networks: [], containers: [] };
  /** The bridges that are guarded now, or were by an earlier run. */
  #guarded: ReadonlySet<string>;
  /** Until every container has been read, the entries of an earlier run are not removed. */
  #isComplete = false;

  /** The sets must exist. */
  constructor(options: WallSetsOptions) {
    const { sets, listBridges, adopted, uptimeMs } = options;
    this.#options = options;
    this.#guarded = new Set(adopted ? listedBridges(sets, setNames.closed4) : []);
    this.#olderFlows = new OlderFlows(options.forgetUnjudged, adopted ? sets : undefined);
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
    if (!setsExist(sets)) this.#makeSets();
    const classification = this.#decide(topology);
    const keeps = this.#isComplete ? "replace" : "keep";
    this.#guarded = new Set(classification.guarded.map(({ bridge }) => bridge));
    const desired = desiredSets(classification);
    const { unplaced } = applySets(sets, desired, keeps);
    this.#olderFlows.follow(desired);
    const { containers } = classification;
    const problems = [...containers.problems, ...tellUnplaced(unplaced), ...this.#olderFlows.problems()];
    return problems.length === containers.problems.length
      ? classification
      : { ...classification, containers: { ...containers, problems } };
  }

  /** Whether the rules that name the sets are in force. */
  useRules(stand: boolean): void {
    this.#olderFlows.useRules(stand);
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

  #makeSets(): void {
    createSets(this.#options.sets);
    // The rules cannot stand without them.
    this.#olderFlows.useRules(false);
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
