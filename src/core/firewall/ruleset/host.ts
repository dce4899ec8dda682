// What is for the host itself: from guarded containers only lookups, and what `host` entries name.

import { inSet, isAnswer, type Match, toPort } from "../match.ts";
import { chainNames as chain, setNames } from "../names.ts";
import { type Chain, rule } from "../table.ts";
import { drop, goTo, returnIt } from "../target.ts";
import { discoveryRules, heldRules, hostAnswerRules, strangerRules } from "./bridges.ts";
import { transports } from "./capture.ts";
import type { RulesetInput } from "./options.ts";

export function inputChain(input: RulesetInput): Chain {
  const { dnsPort, family, sets } = input;
  // What the host says to itself is none of our business, whoever has the port while no daemon runs.
  const fromOutside: Match = { kind: "in-interface", name: "lo", not: true };
  const notRedirected: Match = { kind: "conntrack", states: ["DNAT"], not: true };
  const onLink = inSet(setNames.link6, "src,src");
  return {
    name: chain.input,
    rules: [
      ...transports.map((protocol) =>
        rule("by redirection only", [fromOutside, toPort(protocol, dnsPort), notRedirected], drop),
      ),
      rule("in quarantine", [inSet(sets.quarantine, "src")], goTo(chain.deny)),
      rule("guarded container", [inSet(sets.guarded, "src,src")], goTo(chain.host)),
      ...(family === 6 ? [rule("guarded container, link-local", [onLink], goTo(chain.host))] : []),
      ...strangerRules(input),
      ...hostAnswerRules(input),
      ...heldRules(input),
    ],
  };
}

export function hostChain({ dnsPort, family, sets }: RulesetInput): Chain {
  const redirected: Match = { kind: "conntrack", states: ["DNAT"], originalPort: 53 };
  return {
    name: chain.host,
    rules: [
      ...(family === 6 ? discoveryRules([]) : []),
      rule("answer to the host", [isAnswer], returnIt),
      ...transports.map((protocol) =>
        rule("redirected lookup", [toPort(protocol, dnsPort), redirected], returnIt),
      ),
      rule("host entry", [inSet(sets.host, "src,dst")], returnIt),
      rule("not granted", [], goTo(chain.deny)),
    ],
  };
}
