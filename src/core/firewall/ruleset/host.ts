// Packets to the host itself: guarded containers may send only lookups, and what `host` entries name.

import { chainNames as chain, setNames } from "../names.ts";
import { inSet, type Match, toPort } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { drop, goTo, returnIt } from "../rules/target.ts";
import { discoveryRules, heldRules, hostAnswerRules, strangerRules } from "./bridges.ts";
import { transports } from "./capture.ts";
import { answersOne } from "./elsewhere.ts";
import type { RulesetInput } from "./options.ts";

export function inputChain(input: RulesetInput): Chain {
  const { dnsPort, family, sets } = input;
  // What the host says to itself is none of our business, nor whatever else has the port while no daemon runs.
  const toListener: readonly Match[] = [
    { kind: "in-interface", name: "lo", not: true },
    { kind: "conntrack", states: ["DNAT"], not: true },
    inSet(sets.listens, "dst"),
  ];
  const onLink = inSet(setNames.link6, "src,src");
  return {
    name: chain.input,
    rules: [
      ...transports.map((protocol) =>
        rule("by redirection only", [toPort(protocol, dnsPort), ...toListener], drop),
      ),
      rule("in quarantine", [inSet(sets.quarantine, "src")], goTo(chain.deny)),
      rule("guarded container", [inSet(sets.guarded, "src,src")], goTo(chain.host)),
      ...(family === 6 ? [rule("guarded container, link-local", [onLink], goTo(chain.link))] : []),
      ...strangerRules(input),
      ...hostAnswerRules(input),
      ...heldRules(input),
    ],
  };
}

/**
 * What comes to the host from a link-local address. No set says whose such an address is, and who has it may be on many
 * networks: so what is denied is written into no table that others share.
 */
export function linkChains({ family }: RulesetInput): Chain[] {
  if (family === 4) return [];
  return [
    {
      name: chain.link,
      rules: [...discoveryRules([]), answerRule, rule("denied, and noted nowhere", [], drop)],
    },
  ];
}

const answerRule = rule("answer to the host", answersOne, returnIt);

/** What a guarded container may ask of the host itself: its redirected lookups, and what `host` entries name. */
export function hostChain({ dnsPort, family, sets }: RulesetInput): Chain {
  const redirected: Match = { kind: "conntrack", states: ["DNAT"], originalPort: 53 };
  return {
    name: chain.host,
    rules: [
      ...(family === 6 ? discoveryRules([]) : []),
      answerRule,
      ...transports.map((protocol) =>
        rule("redirected lookup", [toPort(protocol, dnsPort), redirected], returnIt),
      ),
      rule("host entry", [inSet(sets.host, "src,dst")], returnIt),
      rule("not granted", [], goTo(chain.deny)),
    ],
  };
}
