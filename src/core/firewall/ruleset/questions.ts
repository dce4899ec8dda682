// Lookups that the engine's own resolver makes for containers leave through the host's OUTPUT, where they look like
// those of any program of root. So each such question waits for the daemon, which lets it go at once unless it may
// belong to a guarded container that was captured late (src/data/packets/engine-questions.ts). A missing daemon
// must not cut the host off: questions bypass the queue when nothing listens to it, and soon after the listener has
// stopped responding.

import { askedMark, chainNames as chain, engineQueueNumber, refusedQuestion } from "../names.ts";
import { beginningsOfLookups, inSet, type Match } from "../rules/match.ts";
import { packetBits } from "../rules/parts.ts";
import { type Chain, rule } from "../rules/table.ts";
import { clearMark, goTo } from "../rules/target.ts";
import { hostsAfterAll, onOtherLinks } from "./elsewhere.ts";
import type { RulesetInput } from "./options.ts";

const byRoot: Match = { kind: "owner", uid: 0 };

/** What the daemon has refused may have, and little of other software's. */
export const mayBeRefused: Match = {
  kind: "mark",
  mark: { value: refusedQuestion.bits, mask: packetBits >>> 0 },
};

/**
 * Questions that the daemon has refused, by UDP and by TCP: any other that has these bits loses one below. Whose they were
 * cannot be told any more when their sockets are closed by then.
 */
export const refusedQuestions = [
  [beginningsOfLookups[0], mayBeRefused],
  [beginningsOfLookups[1], mayBeRefused],
] as const satisfies readonly (readonly Match[])[];

export function questionChains(input: RulesetInput): Chain[] {
  const { queueNumber, sets } = input;
  const notAsked: Match = { kind: "mark", mark: { value: askedMark, mask: askedMark }, not: true };
  const notRefused: Match = { kind: "whole-mark", value: refusedQuestion.mark, not: true };
  return [
    {
      name: chain.output,
      rules: [
        hostsAfterAll,
        ...onOtherLinks(input),
        ...beginningsOfLookups.map((question) =>
          rule("question of the engine, maybe", [question], goTo(chain.question)),
        ),
      ],
    },
    {
      name: chain.question,
      rules: [
        rule("ask the daemon", [byRoot, notAsked, inSet(sets.awake, "dst")], {
          kind: "queue",
          number: engineQueueNumber(queueNumber),
          bypass: true,
        }),
        rule("asked about no more", [byRoot, notRefused], clearMark(askedMark)),
        rule("marked by others", [mayBeRefused, notRefused], clearMark(askedMark)),
      ],
    },
  ];
}
