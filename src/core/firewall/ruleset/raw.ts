// Table raw: checks, before anything else sees a packet, that it comes from the owner of its source address, and not from
// a bridge that is held.

import {
  askedMark,
  chainNames as chain,
  detourMark,
  refusedMark,
  senderMark,
  setNames,
  unsettledMark,
  unsettledQueueNumber,
} from "../names.ts";
import { beginningsOfLookups, hasMark, inSet, type Match, notInSet } from "../rules/match.ts";
import { type Chain, type Rule, rule } from "../rules/table.ts";
import { clearMark, drop, goTo, returnIt, setMark } from "../rules/target.ts";
import { fromHeldBridge, linkLocalRules, onLinkDestinations, strangerRules } from "./bridges.ts";
import { namedResolver, toNeighbour } from "./capture.ts";
import { towardsHost } from "./elsewhere.ts";
import { connectionRate, limited, lookupBytes, lookupRate } from "./limits.ts";
import type { RulesetInput } from "./options.ts";

export function rawChains(input: RulesetInput): Chain[] {
  return [
    { name: chain.raw, rules: rawRules(input) },
    ...(input.demandSender
      ? [
          { name: chain.sender, rules: senderRules(input) },
          { name: chain.detour, rules: detourRules(input) },
          { name: chain.seen, rules: seenRules(input) },
          { name: chain.unsettled, rules: unsettledRules(input) },
          { name: chain.cleared, rules: clearedRules(input) },
          { name: chain.unseen, rules: unseenRules(input) },
        ]
      : []),
    ...(input.hold ? [{ name: chain.held, rules: heldRules(input) }] : []),
    { name: chain.flood, rules: floodRules(input) },
  ];
}

const fromGuarded = ({ sets }: RulesetInput): Match => inSet(sets.guarded, "src,src");

function rawRules(input: RulesetInput): Rule[] {
  if (!input.demandSender) return [...guardedRules(input), ...elsewhereRules(input)];
  // What the host sends to itself keeps its marks on the way, and they are other software's.
  const fromOutside: Match = { kind: "in-interface", name: "lo", not: true };
  // Both at once: what has no mark of ours, as nearly everything, walks one rule for them.
  const unmarked = { value: 0, mask: senderMark + unsettledMark };
  return [
    rule("seen at a port", [fromOutside, { kind: "mark", mark: unmarked, not: true }], goTo(chain.sender)),
    ...unmarkedRules(input),
  ];
}

/** What was not seen at the port of a guarded container. */
function unmarkedRules(input: RulesetInput): Rule[] {
  return [
    rule("address of a guarded container", [fromGuarded(input)], goTo(chain.unseen)),
    ...elsewhereRules(input),
  ];
}

/** From an address of a guarded container, by a port that is not known to be its own. */
function unseenRules(input: RulesetInput): Rule[] {
  return [
    // A container that starts while we are away must find its neighbours, as it does where the kernel shows us no
    // bridged packets.
    rule("to a neighbour", toNeighbour(input), returnIt),
    rule("not from whose address it is", [], drop),
  ];
}

/** Lookups are counted; nothing else of a guarded container is looked at here. */
function guardedRules(input: RulesetInput): Rule[] {
  return [
    // By TCP, what begins a connection: those that have begun are bounded by their number.
    ...beginningsOfLookups.map((lookup) =>
      rule("lookup of a guarded container", [lookup, fromGuarded(input)], goTo(chain.flood)),
    ),
    rule("guarded container", [fromGuarded(input)], returnIt),
  ];
}

/** What is from no address of a guarded container. */
function elsewhereRules(input: RulesetInput): Rule[] {
  return [
    ...towardsHost(input),
    // Nothing else is in that set, and what comes from outside need not be looked up.
    rule("not guarded", [fromHeldBridge, inSet(input.sets.open, "src,src")], returnIt),
    ...linkLocalRules(input),
    ...strangerRules(input),
    ...(input.hold ? [rule("not classified", [fromHeldBridge], goTo(chain.held))] : []),
  ];
}

/**
 * From a bridge that nobody classified yet: what goes anywhere but to the host itself. The rest is judged there by its
 * flow, and marked, so that it passes as part of no open flow: its destination may still be translated.
 */
function heldRules(input: RulesetInput): Rule[] {
  return [
    ...onLinkDestinations(input),
    rule("held until classified", [{ kind: "local-destination", not: true }], drop),
    rule("not classified", [], setMark(refusedMark)),
  ];
}

/**
 * What came by a port of which nobody knows yet whose it is waits for the daemon, which drops it or has it look again
 * without the mark. When nobody listens it goes on at once, past the rest of this table: nothing of open networks hangs
 * on the daemon. So what the rules can judge without it never gets there.
 */
function unsettledRules(input: RulesetInput): Rule[] {
  const { family, queueNumber, sets } = input;
  const looksForNeighbour: readonly Match[] = [
    { kind: "destination", prefix: "ff02::/16" },
    { kind: "icmpv6-type", type: 135 },
  ];
  return [
    // Cannot be routed. A sender that gets no answer for three seconds gives up all that it would have sent.
    ...(family === 6 ? [rule("looks for a neighbour", looksForNeighbour, goTo(chain.cleared))] : []),
    rule("guarded container", [fromGuarded(input)], goTo(chain.cleared)),
    rule("guarded network", [inSet(sets.closed, "src,src")], goTo(chain.cleared)),
    rule("ask the daemon", [], { kind: "queue", number: unsettledQueueNumber(queueNumber), bypass: true }),
  ];
}

/** Its mark tells a port by all of the bits, and so all of them go. */
function clearedRules(input: RulesetInput): Rule[] {
  return [rule("judged by its address", [], { kind: "clear-whole-mark" }), ...unmarkedRules(input)];
}

/**
 * What comes out of a sandbox has no mark, so what the chain of a guarded port has let in has that one only. What has
 * others too was marked by other software: a packet of the host's own, as likely as not.
 */
function senderRules(input: RulesetInput): Rule[] {
  return [
    rule("let in by a port", [{ kind: "whole-mark", value: senderMark }], goTo(chain.seen)),
    rule(
      "for a neighbour, by way of the host",
      [{ kind: "whole-mark", value: detourMark }],
      goTo(chain.detour),
    ),
    rule("nobody knows yet whose port it is", [hasMark(unsettledMark)], goTo(chain.unsettled)),
    rule("guarded container", [fromGuarded(input)], goTo(chain.seen)),
    ...elsewhereRules(input),
  ];
}

/**
 * The host looks for whatever address it is to send on to, and its table of neighbours is one for all its networks. Of
 * IPv6 an entry is made before FORWARD sees the packet, as the sender is told of the shorter way (ip6_forward()).
 */
function detourRules({ family }: RulesetInput): Rule[] {
  const discovery: readonly Match[] = [
    { kind: "source", prefix: "fe80::/10" },
    notInSet(setNames.link6, "src,src"),
  ];
  return [
    rule("not to the host itself", [{ kind: "local-destination", not: true }], drop),
    // On a network that is not guarded, where the port lets in nothing else from there.
    ...(family === 6 ? [rule("neighbour discovery", discovery, goTo(chain.cleared))] : []),
    rule("seen", [], clearMark(askedMark)),
    rule("seen", [], goTo(chain.seen)),
  ];
}

/** What the chain of a guarded port has let in. On an open bridge, too, only what a set knows by its address. */
function seenRules(input: RulesetInput): Rule[] {
  return [
    // The host's own rules and routes may go by marks, and this one is nobody's business from here on.
    rule("seen", [], clearMark(senderMark)),
    ...guardedRules(input),
    ...linkLocalRules(input),
    rule("not an address of this network", [], drop),
  ];
}

/** Only lookups get here. Floods of them are shed before conntrack and before our sockets. */
function floodRules(input: RulesetInput): Rule[] {
  const { family } = input;
  const connections = limited(`dockerwall-connections${family}`, "above", connectionRate);
  return [
    ...namedResolver(input).map((match) => rule("server that an entry names", [match], returnIt)),
    ...datagramRules(input),
    // It comes by here where iptables sees bridged packets, and waits in no queue of ours.
    rule("server in the same network", toNeighbour(input), returnIt),
    rule("no lookup is that long", [byUdp, longerThan(lookupBytes.atMost)], drop),
    rule("flood of connections for lookups", [{ kind: "protocol", protocol: "tcp" }, connections], drop),
  ];
}

/**
 * One packet can be many datagrams, which the kernel takes apart behind all rules (UDP_SEGMENT): so one counts as often
 * as there are ordinary lookups in its length.
 */
function datagramRules({ family }: RulesetInput): Rule[] {
  const { ordinary, atMost } = lookupBytes;
  const datagrams = limited(`dockerwall-dns${family}`, "above", lookupRate);
  const longer = Array.from({ length: Math.floor(atMost / ordinary) }, (_, index) => (index + 1) * ordinary);
  return [
    ...longer.map((bytes) => rule("counts once more", [byUdp, longerThan(bytes), datagrams], drop)),
    rule("flood of lookups", [byUdp, datagrams], drop),
  ];
}

const byUdp: Match = { kind: "protocol", protocol: "udp" };

function longerThan(bytes: number): Match {
  return { kind: "length", from: bytes + 1, to: 0xffff };
}
