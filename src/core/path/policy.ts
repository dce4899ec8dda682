// What the allowlists of a container say of a packet. They count by network: a right that one of its networks has belongs
// to its addresses there, and a packet that leaves from another address is judged by another network's list.

import type { Membership } from "../askers/standing.ts";
import type { IpAddress } from "../model/address.ts";
import { type Service, serviceCovers, serviceGrants } from "../model/service.ts";
import { addressRights } from "../policy/decide/address-rights.ts";
import { servicesAt } from "../policy/decide/led-to.ts";
import { decidePacket, type PacketDecision, type PacketTarget } from "../policy/decide/packet.ts";
import { type MatchedEntry, mayLeadTo, type Policy, serviceOf } from "../policy/decide/policy.ts";
import { type Decision, decideName } from "../policy/decide.ts";
import { type UnreadList, unreadOf } from "../policy/entry-list/unread.ts";
import { describeEntry } from "../policy/preset.ts";
import { type AskedProtocol, askedOf } from "./open-ports.ts";

/** An entry as it was written, and where. */
export interface FoundEntry {
  readonly entry: string;
  readonly source: string;
  /** When it ends, in milliseconds: of reports since the epoch, of decisions by their clock. Undefined: never. */
  readonly endsAtMs: number | undefined;
}

export interface PolicyFinding {
  /**
   * `port`: the name is allowed, that port is not. `no-lookup`: its name is allowed, but no lookup of it is in force.
   * `unreadable`: a list that cannot be read closes everything.
   */
  readonly reason: "entry" | "no-entry" | "taken-away" | "port" | "no-lookup" | "unreadable";
  readonly by: FoundEntry | undefined;
  /** The names that led the container to the address. */
  readonly names: readonly string[];
  /** What is left of the lease. */
  readonly secondsLeft: number | undefined;
  /** Ids of its other guarded networks, whose lists would let it pass from there. */
  readonly elsewhere: readonly string[];
  /** Where no port was asked for and not every one passes, those that do: `5432/tcp`. */
  readonly ports?: readonly string[];
  /** A list beside it that cannot be read. */
  readonly unread?: UnreadList;
}

/** What is asked for. */
export interface AskedService extends AskedProtocol {
  /** Undefined: any port will do. */
  readonly port: number | undefined;
  readonly nowMs: number;
  /** Whether the address is inside (see NamedAddress); by the address alone where it is not said. */
  readonly inside?: boolean;
}

export const noEntry: PolicyFinding = {
  reason: "no-entry",
  by: undefined,
  names: [],
  secondsLeft: undefined,
  elsewhere: [],
};

/** What is known of a name that has just been looked up and led to the address; undefined address: of the name alone. */
export function judgeName(
  memberships: readonly Pick<Membership, "policy">[],
  name: string,
  address: IpAddress | undefined,
  asked: AskedService,
): PolicyFinding {
  const found = memberships.map(({ policy }) =>
    besideUnread(judgeNameBy(policy, name, address, asked), [policy]),
  );
  return mostTelling(found);
}

function judgeNameBy(
  policy: Policy,
  name: string,
  address: IpAddress | undefined,
  asked: AskedService,
): PolicyFinding {
  const decision = decideName(policy, name, asked.nowMs);
  if (!decision.allowed) return findingOf(decision.by[0], decision.by.length > 0 ? "taken-away" : "no-entry");
  const { nowMs, inside } = asked;
  const services =
    address === undefined
      ? decision.services
      : servicesAt(policy, decision.terms, { address, inside }, nowMs);
  const covered = services.some((service) => covers(service, asked));
  if (covered) return findingOf(grantingEntry(decision, address, asked), "entry");
  const { taken = [] } = address === undefined ? {} : addressRights(policy, address, asked.nowMs);
  const { ipProtocol, port } = asked;
  const taking = taken.find(
    (match) => port === undefined || serviceCovers(serviceOf(match), ipProtocol, port),
  );
  return taking === undefined ? findingOf(decision.by[0], "port") : findingOf(taking, "taken-away");
}

/** With what these policies' lists say that nobody can read. */
function besideUnread(finding: PolicyFinding, policies: readonly Policy[]): PolicyFinding {
  const lists = policies.flatMap((policy) => policy.lists);
  const unread = unreadOf(lists, finding.by?.source);
  if (unread === undefined) return finding;
  const isOpen = finding.reason === "entry" || finding.reason === "no-lookup";
  return unread.closes && !isOpen
    ? { ...finding, reason: "unreadable", by: undefined, unread }
    : { ...finding, unread };
}

function grantingEntry(
  { by }: Extract<Decision, { allowed: true }>,
  address: IpAddress | undefined,
  asked: AskedService,
): MatchedEntry | undefined {
  const leadsHere = (match: MatchedEntry): boolean => address === undefined || mayLeadTo(match, address);
  return by.find((match) => covers(serviceOf(match), asked) && leadsHere(match)) ?? by[0];
}

function covers(service: Service, asked: AskedService): boolean {
  const { ipProtocol, port } = asked;
  return port === undefined ? askedOf([service], asked).length > 0 : serviceGrants(service, ipProtocol, port);
}

/** What the policies of each network on which the source is the asker's own say of a packet. */
export function decideFrom(
  memberships: readonly Pick<Membership, "addresses" | "policy">[],
  { source, ...target }: PacketTarget & { readonly source: IpAddress },
  names: readonly string[],
  nowMs: number,
): PacketDecision {
  let last: PacketDecision = { allowed: false, by: undefined, name: undefined };
  for (const { addresses, policy } of memberships) {
    if (!addresses.includes(source)) continue;
    last = decidePacket(policy, target, names, nowMs);
    if (last.allowed) return last;
  }
  return last;
}

/**
 * What is in force for an address that nobody looks up anew.
 * @param policies that have decided
 * @param secondsLeft of a lease of the asker to the address
 */
export function judgeAddress(
  decision: PacketDecision,
  policies: readonly Policy[],
  secondsLeft: number | undefined,
): PolicyFinding {
  const { allowed, by, name } = decision;
  if (!allowed) return besideUnread(findingOf(by, by === undefined ? "no-entry" : "taken-away"), policies);
  // A name that is allowed opens its addresses only while a lookup of it is remembered.
  const open = name === undefined || secondsLeft !== undefined;
  return besideUnread({ ...findingOf(by, open ? "entry" : "no-lookup"), secondsLeft }, policies);
}

const telling = ["entry", "no-lookup", "port", "taken-away", "unreadable", "no-entry"] as const;

/** One network that lets it pass is enough; otherwise the one that comes closest. */
export function mostTelling(found: readonly PolicyFinding[]): PolicyFinding {
  const byReason = (reason: PolicyFinding["reason"]): PolicyFinding | undefined =>
    found.find((each) => each.reason === reason);
  return telling.map(byReason).find((each) => each !== undefined) ?? noEntry;
}

function findingOf(by: MatchedEntry | undefined, reason: PolicyFinding["reason"]): PolicyFinding {
  return { ...noEntry, reason, by: by && { ...by, entry: describeEntry(by.entry) } };
}
