// Packets that a guarded container sends out, of no admitted flow: granted, passed to the daemon, or refused.

import { askedMark, chainNames as chain, connectionMark, refusedMark, rejectedMark } from "../names.ts";
import { hasMark, inSet, inState, type Match } from "../rules/match.ts";
import { type Chain, type Rule, rule } from "../rules/table.ts";
import { clearMark, goTo, returnIt, type Target } from "../rules/target.ts";
import { onLinkDestinations, tellsOfPacket } from "./bridges.ts";
import { answersOne, flowsPastNeighbours, onLinkFlows } from "./elsewhere.ts";
import { askRate, errorRate, flowsAtMost, limited } from "./limits.ts";
import type { RulesetInput } from "./options.ts";

export function judgeChains(input: RulesetInput): Chain[] {
  return [
    { name: chain.judge, rules: judgeRules(input) },
    { name: chain.error, rules: errorRules(input) },
    { name: chain.admit, rules: admitRules(input) },
  ];
}

function judgeRules(input: RulesetInput): Rule[] {
  const { family, sets } = input;
  const rate = limited(`dockerwall-ask${family}`, "upto", askRate);
  return [
    ...flowsPastNeighbours(input),
    rule("same network", [inSet(sets.guarded, "src,dst")], returnIt),
    ...onLinkFlows(input),
    ...onLinkDestinations(input),
    rule("answer to who came in", answersOne, returnIt),
    rule("of no flow", [inState("INVALID")], goTo(chain.deny)),
    rule("tells of a packet", tellsOfPacket(input), goTo(chain.error)),
    rule("granted", [inSet(sets.grant, "dst,dst,src")], goTo(chain.admit)),
    rule("audited flow", [...stamped(connectionMark.audited), inSet(sets.audit, "src,src")], returnIt),
    rule("the daemon said no", [hasMark(refusedMark)], goTo(chain.refuse)),
    ...[sets.ask, sets.fixed].map((set) =>
      rule("ask the daemon", [inSet(set, "dst"), rate], askDaemon(input)),
    ),
    rule("not granted", [], goTo(chain.refuse)),
  ];
}

/** Confirmed: it has passed all of this once, so a stamp that another software's rule sets beforehand opens nothing. */
export function stamped(stamp: number): readonly Match[] {
  return [
    { kind: "connmark", mark: { value: stamp, mask: connectionMark.mask } },
    { kind: "conntrack", states: ["NEW", "ESTABLISHED"], confirmed: true },
  ];
}

function askDaemon({ queueNumber }: RulesetInput): Target {
  return { kind: "queue", number: queueNumber };
}

/** The daemon lets an error pass at once, so its mark can say no only. A denied error gets no error in reply. */
function errorRules(input: RulesetInput): Rule[] {
  const rate = limited(`dockerwall-error${input.family}`, "upto", errorRate);
  return [
    rule("the daemon said no", [hasMark(refusedMark)], goTo(chain.deny)),
    rule("ask the daemon", [rate], askDaemon(input)),
    rule("too many of them", [], goTo(chain.deny)),
  ];
}

function admitRules({ family }: RulesetInput): Rule[] {
  const tooMany: Match = { kind: "connlimit", above: flowsAtMost, prefixLength: family === 4 ? 32 : 128 };
  const stamp = { value: connectionMark.admitted, mask: connectionMark.mask };
  return [
    rule("too many flows at once", [tooMany], goTo(chain.deny)),
    rule("stamp the flow", [], { kind: "set-connmark", mark: stamp }),
    // The other mark is not ours in a packet that passes: another software's.
    rule("asked about no more, and not denied", [], clearMark(askedMark + rejectedMark)),
  ];
}
