// Table raw: whether a packet comes from whose address it has, before anything else looks at it.

import { hasMark, inSet, toPort } from "../match.ts";
import { chainNames as chain, senderMark } from "../names.ts";
import { type Chain, type Rule, rule } from "../table.ts";
import { clearMark, drop, goTo, returnIt } from "../target.ts";
import { linkLocalRules, strangerRules } from "./bridges.ts";
import { limited, lookupRate } from "./limits.ts";
import type { RulesetInput } from "./options.ts";

export function rawChains(input: RulesetInput): Chain[] {
  return [
    { name: chain.raw, rules: rawRules(input) },
    ...(input.demandSender ? [{ name: chain.sender, rules: senderRules(input) }] : []),
    { name: chain.flood, rules: floodRules(input) },
  ];
}

function rawRules(input: RulesetInput): Rule[] {
  const guarded = inSet(input.sets.guarded, "src,src");
  const others = [
    rule("not guarded", [inSet(input.sets.open, "src,src")], returnIt),
    ...linkLocalRules(input),
    ...strangerRules(input),
  ];
  if (!input.demandSender) return [rule("guarded container", [guarded], goTo(chain.flood)), ...others];
  return [
    rule("seen at the port of its sender", [hasMark(senderMark)], goTo(chain.sender)),
    // Who starts while we are away must find his neighbours, as he does where the kernel shows us no bridged packets.
    rule(
      "to a neighbour",
      [guarded, inSet(input.sets.guarded, "dst,src"), { kind: "local-destination", not: true }],
      returnIt,
    ),
    rule("not from whose address it is", [guarded], drop),
    ...others,
  ];
}

/** What the chain of a guarded port has let in. On an open bridge, too, only what a set knows by its address. */
function senderRules(input: RulesetInput): Rule[] {
  return [
    // The host's own rules and routes may go by marks, and this one is nobody's business from here on.
    rule("seen", [], clearMark(senderMark)),
    rule("guarded container", [inSet(input.sets.guarded, "src,src")], goTo(chain.flood)),
    ...linkLocalRules(input),
    rule("not an address of this network", [], drop),
  ];
}

/** Floods of lookups are shed here, before conntrack and before our socket. */
function floodRules({ family }: RulesetInput): Rule[] {
  const limit = limited(`dockerwall-dns${family}`, "above", lookupRate);
  return [rule("flood of lookups", [toPort("udp", 53), limit], drop)];
}
