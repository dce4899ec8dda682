// Flows that began where nobody judges them. The kernel tells flows by their addresses and ports alone, so anybody can
// have it track one under an address of a guarded container, or of the host: by a frame that stays on a bridge (where
// iptables sees bridged packets), or under a forged source. Such a flow opens nothing for who has the address: what
// answers in it answers nobody, and an error about it tells of nothing. It is stamped, and not dropped: the ranges of the
// host's other bridges may overlap with those of networks.

import { chainNames as chain, connectionMark, heldBridges, setNames } from "../names.ts";
import { fromInterface, inSet, inState, isAnswer, type Match, notInSet } from "../rules/match.ts";
import { type Rule, rule } from "../rules/table.ts";
import { drop, goTo, type Target } from "../rules/target.ts";
import type { RulesetInput } from "./options.ts";

/** Of a flow that began where it is judged, or before there were rules. */
export const begunHere: Match = { kind: "connmark", mark: { value: 0, mask: connectionMark.elsewhere } };

export const begunElsewhere: Match = {
  kind: "connmark",
  mark: { value: connectionMark.elsewhere, mask: connectionMark.elsewhere },
};

/** What answers a packet that went the other way, of such a flow. */
export const answersOne: readonly Match[] = [isAnswer, begunHere];

/** The packet by which the kernel has come to track a flow, one that a helper expects as well. An error has another's. */
const begins: Match = { kind: "conntrack", states: ["NEW", "RELATED"], confirmed: false };

const stamp: Target = {
  kind: "set-connmark",
  mark: { value: connectionMark.elsewhere, mask: connectionMark.mask },
};

const takeStamp: Target = { kind: "set-connmark", mark: { value: 0, mask: connectionMark.mask } };

/**
 * For PREROUTING. What a frame to a group begins, the kernel tracks before the rules of a bridge or of its host are asked
 * (br_nf_local_in()).
 */
export const framesToGroups: Rule = rule(
  "in a frame to a group",
  [begins, { kind: "packet-type", type: "unicast", not: true }],
  stamp,
);

/** Link-local addresses are on every network, and what is forwarded to one stays on its bridge. */
export function onLinkFlows({ family }: RulesetInput): Rule[] {
  if (family === 4) return [];
  return [rule("stays on its bridge", [begins, { kind: "destination", prefix: "fe80::/10" }], stamp)];
}

/**
 * What others than guarded containers begin under the address of one, to one by another way than its network, or under an
 * address of the host, whose own packets are not forwarded.
 */
export function flowsElsewhere({ sets }: RulesetInput): Rule[] {
  return [
    rule("under an address of a network, not from there", [begins, inSet(sets.ranges, "src")], stamp),
    rule("under an address of the host", [begins, { kind: "local-source" }], stamp),
    rule(
      "to an address of a network, not by way of it",
      [begins, inSet(sets.ranges, "dst"), notInSet(sets.guarded, "dst,dst")],
      stamp,
    ),
    rule("stays on its bridge", [begins, inSet(sets.guarded, "dst,src")], stamp),
  ];
}

/**
 * What begins under an address of the host by way of a guarded bridge, by a port that is not guarded yet; and what a
 * guarded container sends out by the bridge that it came from, for an address that is not there.
 */
export function flowsPastNeighbours({ sets }: RulesetInput): Rule[] {
  const past = [begins, inSet(sets.guarded, "src,dst"), notInSet(sets.guarded, "dst,dst")];
  return [
    rule("under an address of the host", [begins, { kind: "local-source" }], stamp),
    rule("for elsewhere, by way of a neighbour", past, stamp),
  ];
}

/** Docker's own bridges: those of networks that are not named otherwise, and the default one. */
const dockers = [heldBridges, "docker0"].map(fromInterface);

/**
 * For raw. The host would answer a guarded container that has sent it nothing: by a flow of its own, where the answer
 * leaves late, or from another address or port than it was asked at, and in that flow the container may answer the host.
 * What goes anywhere else may be of another bridge with the same range, and what comes by other devices, of a VPN or of
 * another software's bridge, may be led back by rules that no packet tells of here.
 */
export function towardsHost({ sets }: RulesetInput): Rule[] {
  const forged: readonly Match[] = [
    inSet(sets.ranges, "src"),
    { kind: "reverse-path", not: true },
    { kind: "local-destination" },
  ];
  return dockers.map((bridge) =>
    rule("under an address of a network, not from there", [bridge, ...forged], drop),
  );
}

/** The host's own packets are not forwarded; of IPv6 the kernel does not look whether a source is its own. */
export const underHostAddress: Rule = rule("under an address of the host", [{ kind: "local-source" }], drop);

/** It is not told of its sender: that would be a stamp in the place of this one. */
export const refusedSilently: Rule = rule("begun elsewhere", [begunElsewhere], goTo(chain.deny));

/** For OUTPUT: whatever began a flow before, the host has it now, and nobody but the host itself has it begin one. */
export const hostsAfterAll: Rule = rule(
  "begun by the host, too",
  [begunElsewhere, inState("NEW")],
  takeStamp,
);

/**
 * For OUTPUT, behind that. Link-local addresses are of one link each, and the kernel tracks flows without their links: what
 * the host begins on a link that is not guarded is no question to who has the same address on one that is.
 */
export function onOtherLinks({ family, hold }: RulesetInput): Rule[] {
  if (family === 4) return [];
  const begun: readonly Match[] = [inState("NEW"), { kind: "destination", prefix: "fe80::/10" }];
  const isNotDockers: Match = { kind: "out-interface", name: heldBridges, not: true };
  const links: readonly (readonly Match[])[] = hold
    ? [[isNotDockers, notInSet(setNames.link6, "dst,dst")], [inSet(setNames.open6, "dst,dst")]]
    : [[notInSet(setNames.link6, "dst,dst")]];
  return links.map((link) => rule("on a link that is not guarded", [...begun, ...link], stamp));
}

/** Comes in by a port that is open, and so its flow is judged, whoever has begun it before by another way. */
export function judgedAfterAll({ sets }: RulesetInput, isPublished: readonly Match[]): Rule {
  return rule(
    "published port, begun elsewhere before",
    [begunElsewhere, ...isPublished, notInSet(sets.ranges, "src")],
    takeStamp,
  );
}
