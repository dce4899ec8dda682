// Forwarded packets: which are judged, and which may come in. Nearly all packets of a host belong to open flows, so
// these go first: a look into a set costs as much as five other rules. What they skip is in raw as well: that nobody
// sends under the address of another, and nothing from a bridge that is held.

import { chainNames as chain, connectionMark, refusedMark, unsettledMark } from "../names.ts";
import { inSet, inState, type Match } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { drop, goTo, returnIt } from "../rules/target.ts";
import { heldRules, onLinkDestinations, strangerRules, tellsOfPacket } from "./bridges.ts";
import { quarantineRules, toEnforced } from "./deny.ts";
import { begunHere, flowsElsewhere, judgedAfterAll, onLinkFlows, underHostAddress } from "./elsewhere.ts";
import { stamped } from "./judge.ts";
import type { RulesetInput } from "./options.ts";

/** Raw has found out that it comes from where it may: it is neither from a held bridge nor by an unsettled port. */
const passedRaw: Match = { kind: "mark", mark: { value: 0, mask: refusedMark + unsettledMark } };

export function forwardChain(input: RulesetInput): Chain {
  const { sets } = input;
  return {
    name: chain.forward,
    rules: [
      ...quarantineRules(input),
      rule("admitted flow", [...stamped(connectionMark.admitted), passedRaw], returnIt),
      rule("guarded container", [inSet(sets.guarded, "src,src")], goTo(chain.judge)),
      rule("known flow", [inState("ESTABLISHED"), passedRaw, begunHere], returnIt),
      ...onLinkFlows(input),
      ...onLinkDestinations(input),
      ...strangerRules(input),
      ...heldRules(input),
      rule("known flow, its sender known now", [inState("ESTABLISHED"), begunHere], returnIt),
      ...flowsElsewhere(input),
      rule("neighbour of a container with a second network", [inSet(sets.guarded, "dst,src")], returnIt),
      rule("to a guarded container", toEnforced(input), goTo(chain.inward)),
    ],
  };
}

/** A helper that expects a flow translates its destination too; nobody has published that port. */
export function inwardChain(input: RulesetInput): Chain {
  const untranslated = [inState("NEW"), inSet(input.sets.published, "dst,dst")];
  return {
    name: chain.inward,
    rules: [
      rule("tells of a packet", tellsOfPacket(input), returnIt),
      underHostAddress,
      rule("published port", [inState("NEW"), inState("DNAT")], returnIt),
      judgedAfterAll(input, untranslated),
      rule("published port, untranslated", untranslated, returnIt),
      rule("only published ports lead in", [], drop),
    ],
  };
}
