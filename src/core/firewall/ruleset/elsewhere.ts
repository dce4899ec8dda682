// Flows that began where nobody judges them. The kernel tells flows by their addresses and ports alone, so anybody can
// have it track one under an address of a guarded container, or of the host: by a frame that stays on a bridge (where
// iptables sees bridged packets), or under a forged source. Such a flow opens nothing for who has the address: what
// answers in it answers nobody, and an error about it tells of nothing. It is stamped, and not dropped: the ranges of the
// host's other bridges may overlap with those of networks.

import { connectionMark } from "../names.ts";
import { inSet, inState, isAnswer, type Match, notInSet } from "../rules/match.ts";
import { type Rule, rule } from "../rules/table.ts";
import { drop, type Target } from "../rules/target.ts";
import type { RulesetInput } from "./options.ts";

/** Of a flow that was judged when it began, or is older than the rules. */
export const begunHere: Match = { kind: "connmark", mark: { value: 0, mask: connectionMark.elsewhere } };

/** What answers a packet that went the other way, of such a flow. */
export const answersOne: readonly Match[] = [isAnswer, begunHere];

/** An error belongs to the flow that it tells of, and does not begin one. */
const begins = inState("NEW");

const stamp: Target = {
  kind: "set-connmark",
  mark: { value: connectionMark.elsewhere, mask: connectionMark.mask },
};

/** Link-local addresses are on every network, and what is forwarded to one stays on its bridge. */
export function onLinkFlows({ family }: RulesetInput): Rule[] {
  if (family === 4) return [];
  return [rule("stays on its bridge", [begins, { kind: "destination", prefix: "fe80::/10" }], stamp)];
}

/** What others than guarded containers begin under the address of one, or to one by another way than its network. */
export function flowsElsewhere({ sets }: RulesetInput): Rule[] {
  return [
    rule("under an address of a network, not from there", [begins, inSet(sets.ranges, "src")], stamp),
    rule(
      "to an address of a network, not by way of it",
      [begins, inSet(sets.ranges, "dst"), notInSet(sets.guarded, "dst,dst")],
      stamp,
    ),
    rule("stays on its bridge", [begins, inSet(sets.guarded, "dst,src")], stamp),
  ];
}

/** What a guarded container sends out by the bridge that it came from, for an address that is not there. */
export function flowsPastNeighbours({ sets }: RulesetInput): Rule[] {
  const staysOnBridge = inSet(sets.guarded, "src,dst");
  return [
    rule(
      "for elsewhere, by way of a neighbour",
      [staysOnBridge, begins, notInSet(sets.guarded, "dst,dst")],
      stamp,
    ),
  ];
}

/** The host's own packets are not forwarded; of IPv6 the kernel does not look whether a source is its own. */
export const underHostAddress: Rule = rule("under an address of the host", [{ kind: "local-source" }], drop);
