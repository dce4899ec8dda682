// What the engine's own resolver asks for containers leaves by the host's OUTPUT, where it looks like a question of any
// program of root's. So each such question waits for the daemon, which lets it go at once unless it may be that of a
// guarded container whose capture came late (src/data/packets/engine-questions.ts). Nothing of the host is cut for want of a daemon:
// when nobody listens to the queue, and soon when who listens no longer answers, questions pass it by.

import { askedMark, chainNames as chain, engineQueueNumber } from "../names.ts";
import { inSet, inState, type Match, toPort } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { clearMark, goTo } from "../rules/target.ts";
import type { RulesetInput } from "./options.ts";

export function questionChains({ queueNumber, sets }: RulesetInput): Chain[] {
  const byRoot: Match = { kind: "owner", uid: 0 };
  const asked = { value: askedMark, mask: askedMark };
  return [
    {
      name: chain.output,
      rules: [[toPort("udp", 53)], [toPort("tcp", 53), inState("NEW")]].map((question) =>
        rule("question of the engine, maybe", [...question, byRoot], goTo(chain.question)),
      ),
    },
    {
      name: chain.question,
      rules: [
        rule("ask the daemon", [{ kind: "mark", mark: asked, not: true }, inSet(sets.awake, "dst")], {
          kind: "queue",
          number: engineQueueNumber(queueNumber),
          bypass: true,
        }),
        rule("asked about no more", [], clearMark(askedMark)),
      ],
    },
  ];
}
