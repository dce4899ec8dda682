// Leads the lookups of guarded containers to us, whichever server they were sent to, unless an entry names that server
// with port 53.

import { chainNames as chain } from "../names.ts";
import { inSet, type Match, notInSet, toPort } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { accept, returnIt } from "../rules/target.ts";
import { framesToGroups } from "./elsewhere.ts";
import type { RulesetInput } from "./options.ts";

/** By which lookups come. */
export const transports = ["udp", "tcp"] as const;

/**
 * Of lookups, those to a server whose port 53 is written in an entry, by its address or by the name that led to it. Only
 * such entries put port 53 into the grants, so a right to every port leads no lookup past us.
 */
export function namedResolver({ sets }: RulesetInput): readonly Match[] {
  return [inSet(sets.resolver, "dst,dst,src"), inSet(sets.grant, "dst,dst,src")];
}

/** To a container on the sender's own network. */
export function toNeighbour({ sets }: RulesetInput): readonly Match[] {
  return [inSet(sets.guarded, "dst,src"), { kind: "local-destination", not: true }];
}

/** A DNS server inside the same network stays reachable. */
export function captureChain(input: RulesetInput): Chain {
  const { dnsPort, sets } = input;
  return {
    name: chain.capture,
    rules: [
      framesToGroups,
      rule("not guarded", [notInSet(sets.guarded, "src,src")], returnIt),
      rule("server in the same network", toNeighbour(input), returnIt),
      ...transports.flatMap((protocol) =>
        namedResolver(input).map((match) =>
          rule("server that an entry names", [toPort(protocol, 53), match], returnIt),
        ),
      ),
      ...transports.map((protocol) =>
        rule("lookup to whatever server", [toPort(protocol, 53)], { kind: "redirect", port: dnsPort }),
      ),
    ],
  };
}

/** A host that drops by default (ufw, firewalld) must still let the redirected lookups in. */
export function acceptChain({ dnsPort, sets }: RulesetInput): Chain {
  return {
    name: chain.accept,
    rules: transports.map((protocol) =>
      rule("redirected lookup", [toPort(protocol, dnsPort), inSet(sets.guarded, "src,src")], accept),
    ),
  };
}
