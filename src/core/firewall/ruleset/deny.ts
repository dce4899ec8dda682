// What happens to a denied packet: it is recorded, and then dropped, rejected, or in audit mode let pass.

import type { Family } from "../../model/address.ts";
import { chainNames as chain, connectionMark, rejectedMark } from "../names.ts";
import { hasMark, inSet, inState, type Match, notInSet } from "../rules/match.ts";
import { type Chain, type Rule, rule } from "../rules/table.ts";
import { drop, goTo, returnIt, setMark, type Target } from "../rules/target.ts";
import { tellsOfPacket } from "./bridges.ts";
import { answersOne, begunElsewhere, refusedSilently } from "./elsewhere.ts";
import { stamped } from "./judge.ts";
import { deniedRate, limited } from "./limits.ts";
import type { RulesetInput } from "./options.ts";
import { refusedQuestions } from "./questions.ts";

/** What may be denied, and its sender to be told: the mark can be another software's. */
export const mayBeDenied = hasMark(rejectedMark);

const refusedStamp = { value: connectionMark.refused, mask: connectionMark.mask };

/** What is denied, and its sender is to be told: behind routing no rule can tell by which bridge it has come. */
const denied: readonly Match[] = [mayBeDenied, { kind: "connmark", mark: refusedStamp }];

/** Nothing leaves an address in quarantine, and nothing reaches it; before any rule that lets a packet pass. */
export function quarantineRules({ sets }: RulesetInput): Rule[] {
  return [
    rule("in quarantine", [inSet(sets.quarantine, "src")], goTo(chain.deny)),
    rule("in quarantine", [inSet(sets.quarantine, "dst")], drop),
  ];
}

export function denyChains(input: RulesetInput): Chain[] {
  const auditStamp = { value: connectionMark.audited, mask: connectionMark.mask };
  return [
    { name: chain.deny, rules: denyRules(input) },
    { name: chain.refuse, rules: refuseRules(input) },
    {
      name: chain.post,
      // Behind whatever should have told the sender: Docker's rules may come before, or there may be none.
      rules: [
        rule("denied, told or not", denied, drop),
        ...refusedQuestions.map((question) =>
          // What is forwarded was never put before the daemon as a question.
          rule("refused, told or not", [...question, { kind: "local-source" }], drop),
        ),
      ],
    },
    {
      name: chain.audit,
      rules: [
        // Its own network lets everything out, and another one nothing else in for that.
        ...[isNotOpen, begunElsewhere].map((flow) =>
          rule("to a guarded container", [...toEnforced(input), flow], goTo(chain.inward)),
        ),
        rule("would be denied", [inState("NEW", "ESTABLISHED")], { kind: "set-connmark", mark: auditStamp }),
      ],
    },
  ];
}

const isNotOpen: Match = { kind: "conntrack", states: ["ESTABLISHED"], not: true };

/** To a guarded container on another network than its own, and none in audit mode. */
export function toEnforced({ sets }: RulesetInput): readonly Match[] {
  return [inSet(sets.guarded, "dst,dst"), notInSet(sets.audit, "dst,dst")];
}

function denyRules(input: RulesetInput): Rule[] {
  return [
    noteRule(input),
    rule("in quarantine", [inSet(input.sets.quarantine, "src")], drop),
    rule("audit lets it pass", [inSet(input.sets.audit, "src,src")], goTo(chain.audit)),
    rule("denied", [], drop),
  ];
}

/** A denied packet on its way out: dropped, or marked for the rule that can tell its sender. */
function refuseRules(input: RulesetInput): Rule[] {
  return [
    rule("denied silently", [notInSet(input.sets.reject, "src,src")], goTo(chain.deny)),
    rule("audit decides", [inSet(input.sets.audit, "src,src")], goTo(chain.deny)),
    // It would have no stamp.
    rule("of no flow", [inState("UNTRACKED")], goTo(chain.deny)),
    refusedSilently,
    noteRule(input),
    rule("denied, and told", [], { kind: "set-connmark", mark: refusedStamp }),
    rule("denied, and told", [], setMark(rejectedMark)),
  ];
}

/**
 * The first packet of a (asker, service, destination) adds the entry, later ones only count: adding with
 * `--exist` would reset the counters on every packet.
 */
function noteRule({ family, sets }: RulesetInput): Rule {
  const rate = limited(`dockerwall-denied${family}`, "upto", deniedRate);
  const entry = { set: sets.denied, by: "src,dst,dst" } as const;
  return rule("remember it", [notInSet(entry.set, entry.by), rate], { kind: "add-to-set", ...entry });
}

const reset: Target = { kind: "reject", with: "tcp-reset" };

function prohibit(family: Family): Target {
  return { kind: "reject", with: family === 4 ? "icmp-admin-prohibited" : "icmp6-adm-prohibited" };
}

/**
 * What is denied is answered as if the destination had refused. The flow's stamp is not asked for: rules of others behind
 * ours may have overwritten it. So what passes our rules, and has the mark from others, is ruled out first.
 */
export function rejectChain(input: RulesetInput): Chain {
  const { family, sets } = input;
  return {
    name: chain.reject,
    rules: [
      rule("denied silently", [notInSet(sets.reject, "src,src")], returnIt),
      rule("audit decides", [inSet(sets.audit, "src,src")], returnIt),
      rule("same network", [inSet(sets.guarded, "src,dst")], returnIt),
      rule("answer to who came in", answersOne, returnIt),
      rule("tells of a packet", tellsOfPacket(input), returnIt),
      rule("admitted flow", stamped(connectionMark.admitted), returnIt),
      rule("told at once", [mayBeDenied, { kind: "protocol", protocol: "tcp" }], reset),
      rule("told at once", [mayBeDenied], prohibit(family)),
    ],
  };
}

/** The same for questions of the engine's. */
export function unansweredChain({ family }: RulesetInput): Chain {
  const [udp, tcp] = refusedQuestions;
  return {
    name: chain.unanswered,
    rules: [rule("told at once", udp, prohibit(family)), rule("told at once", tcp, reset)],
  };
}
