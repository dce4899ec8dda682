// Forwarded packets: which are judged, and which may come in.

import { chainNames as chain } from "../names.ts";
import { inSet, inState, notInSet } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { drop, goTo, returnIt } from "../rules/target.ts";
import { heldRules, onLinkDestinations, strangerRules, tellsOfPacket } from "./bridges.ts";
import { quarantineRules } from "./deny.ts";
import type { RulesetInput } from "./options.ts";

export function forwardChain(input: RulesetInput): Chain {
  const { sets } = input;
  return {
    name: chain.forward,
    rules: [
      rule("guarded container", [inSet(sets.guarded, "src,src")], goTo(chain.judge)),
      ...quarantineRules(input),
      ...onLinkDestinations(input),
      ...strangerRules(input),
      ...heldRules(input),
      // Most packets of a host end here.
      rule("known flow", [inState("ESTABLISHED")], returnIt),
      rule("neighbour of a container with a second network", [inSet(sets.guarded, "dst,src")], returnIt),
      rule(
        "to a guarded container",
        [inSet(sets.guarded, "dst,dst"), notInSet(sets.audit, "dst,dst")],
        goTo(chain.inward),
      ),
    ],
  };
}

/** A helper that expects a flow translates its destination too; nobody has published that port. */
export function inwardChain(input: RulesetInput): Chain {
  const { sets } = input;
  return {
    name: chain.inward,
    rules: [
      rule("tells of a packet", tellsOfPacket(input), returnIt),
      rule("published port", [inState("NEW"), inState("DNAT")], returnIt),
      rule("published port, untranslated", [inState("NEW"), inSet(sets.published, "dst,dst")], returnIt),
      rule("only published ports lead in", [], drop),
    ],
  };
}
