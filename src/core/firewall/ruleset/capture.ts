// Leads the lookups of guarded containers to us, whichever server they were sent to.

import { chainNames as chain } from "../names.ts";
import { inSet, notInSet, toPort } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { accept, returnIt } from "../rules/target.ts";
import type { RulesetInput } from "./options.ts";

/** By which lookups come. */
export const transports = ["udp", "tcp"] as const;

/** A DNS server inside the same network stays reachable. */
export function captureChain({ dnsPort, sets }: RulesetInput): Chain {
  return {
    name: chain.capture,
    rules: [
      rule("not guarded", [notInSet(sets.guarded, "src,src")], returnIt),
      rule(
        "server in the same network",
        [inSet(sets.guarded, "dst,src"), { kind: "local-destination", not: true }],
        returnIt,
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
