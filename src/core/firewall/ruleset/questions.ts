// Lookups that the engine's own resolver makes for containers leave through the host's OUTPUT, where they look like
// those of any program of root. So each such question waits for the daemon, which lets it go at once unless it may
// belong to a guarded container that was captured late (src/data/packets/engine-questions.ts). A missing daemon
// must not cut the host off: questions bypass the queue when nothing listens to it, and soon after the listener has
// stopped responding.

import { askedMark, chainNames as chain, engineQueueNumber } from "../names.ts";
import { inSet, type Match, toPort } from "../rules/match.ts";
import { type Chain, rule } from "../rules/table.ts";
import { clearMark, goTo } from "../rules/target.ts";
import type { RulesetInput } from "./options.ts";

export function questionChains({ queueNumber, sets }: RulesetInput): Chain[] {
  const byRoot: Match = { kind: "owner", uid: 0 };
  const asked = { value: askedMark, mask: askedMark };
  return [
    {
      name: chain.output,
      // By TCP its SYN: a state it may have none, or another's (rules with CT --notrack, a flow that is still tracked).
      rules: [toPort("udp", 53), { kind: "syn", port: 53 } as const].map((question) =>
        rule("question of the engine, maybe", [question, byRoot], goTo(chain.question)),
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
