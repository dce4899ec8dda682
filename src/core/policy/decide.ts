// The one place that decides what allowlists say about a name; decide/packet.ts decides about a packet in the same way.
// Enforcement asks here, and so does everything that explains or predicts enforcement. `!` wins over every grant,
// whichever lists they are in.

import type { Service } from "../model/service.ts";
import { isClosed, type MatchedEntry, type Policy } from "./decide/policy.ts";
import { servicesOf, type Term, termsOf } from "./decide/terms.ts";
import type { DomainEntry } from "./entry.ts";
import { unreadOf } from "./entry-list/unread.ts";
import { type CompiledList, hasEnded } from "./entry-list.ts";

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

function lastEnd(matches: readonly MatchedEntry[]): number | undefined {
  let last = 0;
  for (const { endsAtMs } of matches) {
    if (endsAtMs === undefined) return undefined;
    last = Math.max(last, endsAtMs);
  }
  return last;
}

/** True when a name below this one is granted: it exists, though it has nothing that may be told (RFC 8020). */
export function isAboveAllowed(policy: Policy, name: string, nowMs: number): boolean {
  return !isClosed(policy) && policy.lists.some((list) => !hasEnded(list, nowMs) && list.isAbove(name));
}
