// What found no place in its set, because the set is full: what is closed for it, and how reports say so.

import { type Family, prefixContains, renderPrefix } from "../model/address.ts";
import { isSingle } from "../policy/entry.ts";
import { type Member, memberKey } from "./members.ts";
import { setNames } from "./names.ts";

/** By set name; only sets in which something found no place. */
export type Unplaced = ReadonlyMap<string, readonly Member[]>;

const families: readonly Family[] = [4, 6];

/**
 * What a set of quarantine is given beside those in quarantine: addresses of guarded containers that nothing else keeps
 * from going where they like. Without a comment, as nobody has put them there.
 * @param inQuarantine what is there in any case, and must stay under its name
 */
export function cutOffInstead(
  set: string,
  unplaced: Unplaced,
  inQuarantine: readonly Member[],
): readonly Member[] {
  const family = families.find((each) => setNames[`quarantine${each}`] === set);
  if (family === undefined) return [];
  const there = new Set(inQuarantine.map(memberKey));
  return (unplaced.get(setNames[`guarded${family}`]) ?? [])
    .filter(({ prefix }) => isSingle(prefix) && !there.has(memberKey({ prefix })))
    .map(({ prefix }) => ({ prefix }));
}

/** The members that would give what an exception without a place takes away. */
export function openedBy(unplaced: readonly Member[], placed: readonly Member[]): readonly Member[] {
  const exceptions = unplaced.filter(({ exception }) => exception === true);
  if (exceptions.length === 0) return [];
  return placed.filter(({ prefix, service, server, exception }) =>
    exceptions.some(
      (each) =>
        exception !== true &&
        each.server === server &&
        each.service?.protocol === service?.protocol &&
        each.service?.port === service?.port &&
        prefixContains(prefix, each.prefix.address),
    ),
  );
}

/** What does not work without its entries, and what to do about it; by the set's name without prefix and family. */
const meanings: Readonly<Record<string, string>> = {
  guarded: "these addresses are cut off; take their containers off some networks",
  ranges:
    "flows that others begin under these addresses are believed to be judged; have fewer networks, or fewer containers with several",
  audit: "what they send is judged as without audit mode; take their containers off some networks",
  reject: "what is denied there is dropped without an error to the sender; have fewer networks that reject",
  static: "what these prefixes allow is denied; write fewer or wider prefixes",
  host: "these ports of the host stay closed; name fewer ports in host entries",
  resolver: "lookups to these servers are answered by Dockerwall; name fewer servers with port 53",
  published: "these ports stay closed from outside; publish fewer ports on networks without NAT",
  quarantine: "these addresses are NOT cut off; stop their containers",
};

const otherwise = "their bridges are held, and nothing passes there; remove networks that nobody needs";

/** One sentence for each set. */
export function tellUnplaced(unplaced: Unplaced): readonly string[] {
  return [...unplaced].map(([set, members]) => {
    const kind = set.replace(/^dockerwall-/, "").replace(/[46]$/, "");
    const [first] = members;
    const example = first === undefined ? "" : `, ${described(first)} among them`;
    const count = members.length === 1 ? "1 entry" : `${members.length} entries`;
    return `set ${set} is full, and ${count} found no place${example}: ${meanings[kind] ?? otherwise}`;
  });
}

function described({ prefix, iface, service, comment }: Member): string {
  const address = isSingle(prefix) ? prefix.address : renderPrefix(prefix);
  const what =
    service === undefined
      ? ""
      : ` ${protocolNames[service.protocol] ?? `protocol ${service.protocol}`} ${service.port}`;
  const where = iface === undefined ? "" : ` on ${iface}`;
  const whose = comment === undefined ? "" : ` of ${JSON.stringify(comment)}`;
  return `${address}${what}${where}${whose}`;
}

const protocolNames: Readonly<Record<number, string>> = {
  1: "ICMP",
  6: "TCP",
  17: "UDP",
  58: "ICMPv6",
  132: "SCTP",
};
