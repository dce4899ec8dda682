// The rules, as data. They never change while the daemon runs: everything that varies (networks, containers, grants) is
// in kernel sets. So a packet walks the same few rules on a host with one network and with five hundred, and a new
// network or grant costs a set entry, not a ruleset.
//
// Order of decision for a packet of a guarded container, first match wins:
//   raw      it was seen at its sender's port, and its source is one of its network's addresses, on its network's
//            bridge; else drop
//   mangle   quarantine; stamped flow; same network; reply; granted (destination, port, asker); ask the daemon; else drop
// Any other packet of a known flow leaves as soon as quarantine and a guarded sender are ruled out: raw has dropped what
// comes from a bridge that is held.
// Connection state and stamps describe the flow that a packet belongs to. A RELATED packet either belongs to no flow
// yet (a flow that a helper expects, which is judged as new), or it is an ICMP error about another packet and carries
// the marks of the flow that it quotes: the daemon checks whether that packet was sent to the error's sender.

import { chainNames as chain } from "./names.ts";
import type { Table } from "./rules/table.ts";
import { acceptChain, captureChain } from "./ruleset/capture.ts";
import { denyChains, mayBeDenied, rejectChain, unansweredChain } from "./ruleset/deny.ts";
import { forwardChain, inwardChain } from "./ruleset/forward.ts";
import { hostChain, inputChain, linkChains } from "./ruleset/host.ts";
import { judgeChains } from "./ruleset/judge.ts";
import { type RulesetOptions, setsOf } from "./ruleset/options.ts";
import { mayBeRefused, questionChains } from "./ruleset/questions.ts";
import { rawChains } from "./ruleset/raw.ts";

/** The whole ruleset of one family. */
export function desiredRules(options: RulesetOptions): readonly Table[] {
  const tables = tablesOf(options);
  if (options.spareQuestions !== true) return tables;
  return tables.map((table) => ({ ...table, spared: [chain.engine] }));
}

function tablesOf(options: RulesetOptions): readonly Table[] {
  const input = { ...options, sets: setsOf(options.family, options.wide) };
  return [
    {
      name: "raw",
      jumps: [{ hook: "PREROUTING", chain: chain.raw }],
      chains: rawChains(input),
    },
    {
      name: "mangle",
      jumps: [
        { hook: "FORWARD", chain: chain.forward },
        { hook: "INPUT", chain: chain.input },
        { hook: "OUTPUT", chain: chain.output },
        { hook: "POSTROUTING", chain: chain.post, match: [mayBeDenied] },
      ],
      chains: [
        forwardChain(input),
        inwardChain(input),
        ...judgeChains(input),
        inputChain(input),
        hostChain(input),
        ...linkChains(input),
        ...questionChains(input),
        ...denyChains(input),
      ],
    },
    {
      name: "nat",
      jumps: [{ hook: "PREROUTING", chain: chain.capture }],
      chains: [captureChain(input)],
    },
    {
      name: "filter",
      // REJECT works in this table only. Docker moves jumps in FORWARD about, but leaves what its users put into
      // DOCKER-USER. There is none with its nftables backend, which writes to tables of its own and leaves FORWARD alone.
      jumps: [
        { hook: "INPUT", chain: chain.accept },
        { hook: "OUTPUT", chain: chain.unanswered, match: [mayBeRefused] },
        { hook: "DOCKER-USER", chain: chain.reject, match: [mayBeDenied], optional: true },
        { hook: "FORWARD", chain: chain.reject, match: [mayBeDenied], unless: "DOCKER-USER" },
      ],
      chains: [acceptChain(input), rejectChain(input), unansweredChain(input)],
    },
  ];
}
