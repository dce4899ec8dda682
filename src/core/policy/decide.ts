// The one place that decides what allowlists say about a name or a packet. Enforcement asks here, and so does everything
// that explains or predicts enforcement. `!` wins over every grant, whichever lists they are in.

import { isInside } from "../dns/address-filter.ts";
import { addressBytes, type IpAddress, type Prefix, prefixContains, renderPrefix } from "../model/address.ts";
import { isDnsService, isLookup, type Service, serviceCovers, serviceGrants } from "../model/service.ts";
import { intersectServices, subtractServices, withoutNewResolvers } from "../model/service-set.ts";
import { type DomainEntry, type Entry, isSingle } from "./entry.ts";
import { unreadOf } from "./entry-list/unread.ts";
import { type CompiledList, hasEnded } from "./entry-list.ts";

/** What one asker may reach through one network. */
export interface Policy {
  /** Name of the network, for refusals. */
  readonly network: string;
  readonly lists: readonly CompiledList[];
  /** True where no list counts, as the asker is in quarantine. */
  readonly isQuarantined?: boolean;
}

/** The entry that decided, and its place. */
export interface MatchedEntry {
  readonly entry: Entry;
  readonly source: string;
  /** When its list ends, by the clock that decisions are made by, milliseconds; undefined for never. */
  readonly endsAtMs: number | undefined;
}

/** Services of a name that end together. */
export interface Term {
  readonly services: readonly Service[];
  /** Where the name may lead to for them; undefined for every address that is not inside. */
  readonly within: Prefix | undefined;
  /** By the clock that decisions are made by, milliseconds; undefined for never. */
  readonly endsAtMs: number | undefined;
}

export type Decision =
  | {
      readonly allowed: true;
      /** What the addresses of the name may be reached for; never empty. */
      readonly services: readonly Service[];
      /** True when an entry names this very name, not only a pattern or a wildcard above it. */
      readonly exact: boolean;
      /** When the last of what allows it ends, by the clock that decisions are made by, milliseconds; undefined for never. */
      readonly endsAtMs: number | undefined;
      /** The same services, by when what grants them ends. */
      readonly terms: readonly Term[];
      readonly by: readonly MatchedEntry[];
    }
  | Denial;

export interface Denial {
  readonly allowed: false;
  readonly network: string;
  /** The entries that take it away; empty if no entry names it. */
  readonly by: readonly MatchedEntry[];
  /** Why no entry counts; undefined where they do. */
  readonly because?: "quarantine" | "unreadable";
  /** Where the list stands that cannot be read, if one is, and no entry decides. */
  readonly unread?: string;
}

/** Decides on a name, in presentation form made from the wire labels: lower case, no trailing dot, odd bytes escaped. */
export function decideName(policy: Policy, name: string, nowMs: number): Decision {
  const { network, lists } = policy;
  if (isClosed(policy)) return { ...denialOf(policy), because: "unreadable" };
  if (policy.isQuarantined === true) return { allowed: false, network, by: [], because: "quarantine" };
  let only: CompiledList | undefined;
  let entries: readonly DomainEntry[] = [];
  for (const list of lists) {
    const its = hasEnded(list, nowMs) ? [] : list.nameEntries(name);
    if (its.length === 0) continue;
    if (only !== undefined) return decideByAll(policy, name, nowMs);
    only = list;
    entries = its;
  }
  if (only === undefined) return denialOf(policy);
  const [entry] = entries;
  return entries.length === 1 && entry !== undefined && !entry.negated
    ? allowedBy(only, entry)
    : decideByAll(policy, name, nowMs);
}

/** Where no entry decides. */
function denialOf({ network, lists }: Policy): Denial {
  const unread = unreadOf(lists)?.source;
  return { allowed: false, network, by: [], ...(unread === undefined ? {} : { unread }) };
}

/** Of each list, what follows from one of its entries alone: the same for every name that no other is about. */
const known = new WeakMap<CompiledList, Map<DomainEntry, Decision>>();

/** Nearly always one entry decides, and each lookup decides. */
function allowedBy(list: CompiledList, entry: DomainEntry): Decision {
  let decisions = known.get(list);
  if (decisions === undefined) {
    decisions = new Map();
    known.set(list, decisions);
  }
  let decision = decisions.get(entry);
  if (decision === undefined) {
    const { source, endsAtMs } = list;
    decision = decisionOf("", [{ entry, source, endsAtMs }], []);
    decisions.set(entry, decision);
  }
  return decision;
}

function decideByAll(policy: Policy, name: string, nowMs: number): Decision {
  const granting: MatchedEntry[] = [];
  const taking: MatchedEntry[] = [];
  for (const list of policy.lists) {
    if (hasEnded(list, nowMs)) continue;
    const { source, endsAtMs } = list;
    for (const entry of list.nameEntries(name))
      (entry.negated ? taking : granting).push({ entry, source, endsAtMs });
  }
  return decisionOf(policy.network, granting, taking);
}

function decisionOf(
  network: string,
  granting: readonly MatchedEntry[],
  taking: readonly MatchedEntry[],
): Decision {
  const terms = termsOf(granting, taking);
  const services = servicesOf(terms);
  if (services.length === 0) return { allowed: false, network, by: taking };
  const exact = granting.some(({ entry }) => entry.kind === "domain" && entry.scope === "exact");
  return { allowed: true, services, exact, endsAtMs: lastEnd(granting), terms, by: granting };
}

/** True when a name below this one is granted: it exists, though it has nothing that may be told (RFC 8020). */
export function isAboveAllowed(policy: Policy, name: string, nowMs: number): boolean {
  return !isClosed(policy) && policy.lists.some((list) => !hasEnded(list, nowMs) && list.isAbove(name));
}

function termsOf(granting: readonly MatchedEntry[], taking: readonly MatchedEntry[]): readonly Term[] {
  const [only] = granting;
  if (only === undefined) return [];
  // Nearly always there is one.
  if (granting.length === 1) return [termOf(only, granting, taking)];
  return [...Map.groupBy(granting, termKey).values()].flatMap((matches) => {
    const [first] = matches;
    return first === undefined ? [] : [termOf(first, matches, taking)];
  });
}

function termOf(
  first: MatchedEntry,
  matches: readonly MatchedEntry[],
  taking: readonly MatchedEntry[],
): Term {
  const services = withoutTaken(matches.map(serviceOf), taking);
  return { endsAtMs: first.endsAtMs, within: withinOf(first), services };
}

/** What `!` entries leave of services of one term. */
function withoutTaken(services: readonly Service[], taking: readonly MatchedEntry[]): readonly Service[] {
  if (taking.length === 0) return services;
  return withoutNewResolvers(services, subtractServices(services, taking.map(serviceOf)));
}

/** Of all terms. */
function servicesOf(terms: readonly Term[]): readonly Service[] {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only.services : terms.flatMap(({ services }) => services);
}

/** Port 53 stays apart from the ports beside it: it counts only where it is named by itself. */
function termKey(match: MatchedEntry): string {
  const within = withinOf(match);
  const range = within === undefined ? "" : renderPrefix(within);
  return `${match.endsAtMs} ${range} ${isDnsService(serviceOf(match))}`;
}

function withinOf({ entry }: MatchedEntry): Prefix | undefined {
  return entry.kind === "domain" ? entry.within : undefined;
}

/** Whether the name that an entry allows may lead to this address, as far as the entry says. */
export function mayLeadTo(match: MatchedEntry, address: IpAddress): boolean {
  const within = withinOf(match);
  return within === undefined || prefixContains(within, address);
}

/** What entries say about an address, whichever name led there. */
export interface AddressRights {
  /** Entries that open it without a lookup. */
  readonly granted: readonly MatchedEntry[];
  /** Entries that close it, whatever else grants it. */
  readonly taken: readonly MatchedEntry[];
}

/** All entries that name the address, and of those that close one the entries for what it leads to by a translator. */
export function addressRights(policy: Policy, address: IpAddress, nowMs: number): AddressRights {
  let rights: { granted: MatchedEntry[]; taken: MatchedEntry[] } | undefined;
  for (const list of policy.lists) {
    if (hasEnded(list, nowMs)) continue;
    const { source, endsAtMs } = list;
    for (const entry of list.addressEntries(address)) {
      rights ??= { granted: [], taken: [] };
      (entry.negated ? rights.taken : rights.granted).push({ entry, source, endsAtMs });
    }
    for (const entry of list.carriedEntries(address)) {
      rights ??= { granted: [], taken: [] };
      rights.taken.push({ entry, source, endsAtMs });
    }
  }
  return rights ?? noRights;
}

/** Most addresses are named by no entry. */
const noRights: AddressRights = { granted: [], taken: [] };

/** An address that a name leads to. */
export interface NamedAddress {
  readonly address: IpAddress;
  /** Private, or of this host's own networks: it is open only as far as entries name it, beside the name. */
  readonly inside: boolean;
}

/** The same; without `inside`, the address alone decides it. */
export interface LedTo extends Pick<NamedAddress, "address"> {
  readonly inside?: boolean | undefined;
}

/** What is left of a name's services at one address. */
export function termsAt(
  policy: Policy,
  terms: readonly Term[],
  { address, inside }: NamedAddress,
  nowMs: number,
): readonly Term[] {
  const { granted, taken } = addressRights(policy, address, nowMs);
  // Nearly every address is one that no entry is about.
  if (taken.length === 0 && !inside && terms.every(isAnywhere)) return terms;
  const left: Term[] = [];
  const keep = (term: Term): void => {
    const services = withoutTaken(term.services, taken);
    if (services.length > 0) left.push(services === term.services ? term : { ...term, services });
  };
  for (const term of terms) {
    if (term.within !== undefined) {
      if (prefixContains(term.within, address)) keep(term);
    } else if (!inside) keep(term);
    else for (const match of granted) keep(commonTerm(term, match));
  }
  return left;
}

/** Whether it leads to every address that is not inside. */
function isAnywhere({ within, services }: Term): boolean {
  return within === undefined && services.length > 0;
}

/** What the name and an entry for its address both allow, while both do. */
function commonTerm({ services, endsAtMs = Infinity, within }: Term, match: MatchedEntry): Term {
  const end = Math.min(endsAtMs, match.endsAtMs ?? Infinity);
  const its = serviceOf(match);
  return {
    services: withoutNewResolvers([...services, its], intersectServices(services, [its])),
    within,
    endsAtMs: end === Infinity ? undefined : end,
  };
}

/** Whether `!` entries leave nothing of a name's services at an address. */
export function isTakenAway(
  policy: Policy,
  terms: readonly Term[],
  address: IpAddress,
  nowMs: number,
): boolean {
  const { taken } = addressRights(policy, address, nowMs);
  return taken.length > 0 && terms.every(({ services }) => withoutTaken(services, taken).length === 0);
}

/** Whether the name may lead to the host itself: a `host` entry opens there what the name allows. */
export function mayLeadToHost(policy: Policy, terms: readonly Term[], nowMs: number): boolean {
  const open = hostServices(policy, nowMs);
  return terms.some(({ services }) => intersectServices(services, open).length > 0);
}

/** What `host` entries open of the host itself; empty when nothing is. */
function hostServices(policy: Policy, nowMs: number): readonly Service[] {
  if (isClosed(policy)) return [];
  const inForce = policy.lists.filter((list) => !hasEnded(list, nowMs));
  const ofHost = (negated: boolean): Service[] =>
    inForce.flatMap(({ hostEntries }) =>
      hostEntries.filter((entry) => entry.negated === negated).map((entry) => serviceOf({ entry })),
    );
  return subtractServices(ofHost(false), ofHost(true));
}

/** What a name's terms leave of services at an address that it leads to. */
export function servicesAt(
  policy: Policy,
  terms: readonly Term[],
  { address, inside = isInside(addressBytes(address)) }: LedTo,
  nowMs: number,
): readonly Service[] {
  return termsAt(policy, terms, { address, inside }, nowMs).flatMap(({ services }) => services);
}

export interface PacketTarget {
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
  /** Whether it is inside, see NamedAddress; by the address alone where it is not said. */
  readonly inside?: boolean;
}

export interface PacketDecision {
  readonly allowed: boolean;
  /** The entry that decides; undefined when no entry names the target. */
  readonly by: MatchedEntry | undefined;
  /** The name through which it is allowed, or by which it was denied; undefined when the address itself decides. */
  readonly name: string | undefined;
}

/** Decides on a packet to an address that these names led to. */
export function decidePacket(
  policy: Policy,
  { destination, ipProtocol, port, inside }: PacketTarget,
  names: Iterable<string>,
  nowMs: number,
): PacketDecision {
  let denied: PacketDecision = { allowed: false, by: undefined, name: undefined };
  if (isClosed(policy)) return denied;
  const covers = (match: MatchedEntry): boolean => serviceGrants(serviceOf(match), ipProtocol, port);
  const { granted, taken } = addressRights(policy, destination, nowMs);
  const forbidden = taken.find((match) => serviceCovers(serviceOf(match), ipProtocol, port));
  if (forbidden !== undefined) return { allowed: false, by: forbidden, name: undefined };
  const namesIt = ({ entry }: MatchedEntry): boolean =>
    !isLookup(ipProtocol, port) || (entry.kind === "prefix" && isSingle(entry.prefix));
  const named = granted.find((match) => covers(match) && namesIt(match));
  if (named !== undefined) return { allowed: true, by: named, name: undefined };
  for (const name of names) {
    const decision = decideName(policy, name, nowMs);
    if (!decision.allowed) {
      denied = { allowed: false, by: decision.by[0], name };
      continue;
    }
    const services = servicesAt(policy, decision.terms, { address: destination, inside }, nowMs);
    if (services.some((service) => serviceGrants(service, ipProtocol, port))) {
      const leadsHere = decision.by.find((match) => covers(match) && mayLeadTo(match, destination));
      return { allowed: true, by: leadsHere ?? decision.by[0], name };
    }
    denied = { allowed: false, by: undefined, name };
  }
  return denied;
}

/** Whether a list that could not be read closes everything. */
export function isClosed({ lists }: Policy): boolean {
  return lists.some(({ closes }) => closes === true);
}

/** The service that an entry grants or takes away. */
export function serviceOf({ entry }: Pick<MatchedEntry, "entry">): Service {
  if (entry.kind !== "host") return entry.service;
  return { protocol: entry.protocol, ports: { from: entry.from, to: entry.to } };
}

function lastEnd(matches: readonly MatchedEntry[]): number | undefined {
  let last = 0;
  for (const { endsAtMs } of matches) {
    if (endsAtMs === undefined) return undefined;
    last = Math.max(last, endsAtMs);
  }
  return last;
}
