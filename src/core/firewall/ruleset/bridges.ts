// Rules about the bridge that a packet comes from; they are used in more than one chain.

import { heldBridges, setNames } from "../names.ts";
import { fromInterface, inSet, inState, type Match, notInSet } from "../rules/match.ts";
import { type Rule, rule } from "../rules/table.ts";
import { drop, noTrack, returnIt } from "../rules/target.ts";
import { answersOne, begunHere } from "./elsewhere.ts";
import type { RulesetInput } from "./options.ts";

/** From a bridge that is called as Docker calls its own. */
export const fromHeldBridge = fromInterface(heldBridges);

/** Strangers on guarded bridges. */
export function strangerRules({ sets }: RulesetInput): Rule[] {
  return [rule("not an address of this network", [inSet(sets.closed, "src,src")], drop)];
}

/** Bridges that nobody classified yet: what they send is dropped, but never before the host has had its answers. */
export function heldRules({ hold, sets }: RulesetInput): Rule[] {
  if (!hold) return [];
  return [rule("held until classified", [fromHeldBridge, notInSet(sets.open, "src,src")], drop)];
}

/** A bridge that is held may be the host's own way out: what it asked for itself is answered. */
export function hostAnswerRules({ family, hold }: RulesetInput): Rule[] {
  if (!hold) return [];
  return [
    rule("answer to the host", [fromHeldBridge, ...answersOne], returnIt),
    ...(family === 6 ? discoveryRules([fromHeldBridge]) : []),
  ];
}

/** Solicitations and advertisements of a neighbour; one that was routed has a lower hop limit. */
export const neighbourDiscovery = [135, 136].map((type): readonly Match[] => [
  { kind: "icmpv6-type", type },
  { kind: "hop-limit", equals: 255 },
]);

export function discoveryRules(from: readonly Match[]): Rule[] {
  return neighbourDiscovery.map((match) => rule("neighbour discovery", [...from, ...match], returnIt));
}

/** Neighbour discovery and link-local traffic inside a network; it cannot be routed. Router advertisements are not. */
export function linkLocalRules({ family }: RulesetInput): Rule[] {
  if (family === 4) return [];
  const onLink = inSet(setNames.link6, "src,src");
  const linkLocal: Match = { kind: "source", prefix: "fe80::/10" };
  const icmpType = (type: number): Match => ({ kind: "icmpv6-type", type });
  return [
    rule("containers are no routers", [onLink, icmpType(134)], drop),
    // Nothing that stays on the link is judged by its flow, and its sender chooses both addresses: it could fill the
    // table of tracked flows, which is the whole host's, with flows that live on for days after it.
    rule("no flow to be tracked", [linkLocal, onLink, { kind: "local-destination", not: true }], noTrack),
    rule("link-local", [linkLocal, onLink], returnIt),
    rule(
      "looks whether an address is free",
      [{ kind: "source", prefix: "::/128" }, onLink, icmpType(135)],
      returnIt,
    ),
  ];
}

/** Cannot be routed. */
export function onLinkDestinations({ family }: RulesetInput): Rule[] {
  const prefixes = family === 6 ? ["fe80::/10", "ff02::/16"] : [];
  return prefixes.map((prefix) => rule("link-local", [{ kind: "destination", prefix }], returnIt));
}

/** An error of ICMP, which quotes a packet that was sent to it or not. */
export function tellsOfPacket({ family }: RulesetInput): readonly Match[] {
  return [{ kind: "protocol", protocol: family === 4 ? "icmp" : "ipv6-icmp" }, inState("RELATED"), begunHere];
}
