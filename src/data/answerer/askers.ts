// Who asks: what of its networks counts for one question.

import { isDenialLookedUp } from "../../core/askers/audited.ts";
import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import type { GuardedStanding, Membership, Standing } from "../../core/askers/standing.ts";
import type { DiscoveryAsker } from "../../core/dns/discovery.ts";
import type { IpAddress } from "../../core/model/address.ts";

/** What counts for every question of an asker, for as long as it stands where it does. */
export interface AskerFacts extends DiscoveryAsker {
  /** Whose share of what is bounded a question takes: one for a container, by whichever network and address it asks. */
  readonly budget: string;
  /** The network whose share that is a part of: one for a container, too. */
  readonly budgetNetworkId: string;
  /** Whether a denied name is looked up for it all the same, and every address told: see isDenialLookedUp(). */
  readonly isAudited: boolean;
  /** Whether time alone may change what the policies say. */
  readonly hasEnds: boolean;
}

/** Memberships are the same object from one question to the next. */
const known = new WeakMap<readonly Membership[], AskerFacts>();

export function factsOf(memberships: readonly Membership[]): AskerFacts {
  const before = known.get(memberships);
  if (before !== undefined) return before;
  const facts: AskerFacts = {
    networkIds: memberships.map(({ networkId }) => networkId),
    addresses: memberships.flatMap(({ addresses }) => addresses),
    ...budgetOf(memberships),
    isAudited: isDenialLookedUp(
      memberships.map(({ internal, labels }) => ({ internal, audit: labels.mode === "audit" })),
    ),
    hasEnds: memberships.some(({ policy }) => policy.lists.some(({ endsAtMs }) => endsAtMs !== undefined)),
  };
  known.set(memberships, facts);
  return facts;
}

function budgetOf(memberships: readonly Membership[]): Pick<AskerFacts, "budget" | "budgetNetworkId"> {
  let budget = "";
  let budgetNetworkId = "";
  for (const { addresses, networkId } of memberships) {
    const [first = ""] = addresses;
    if (budget === "" || (first !== "" && first < budget)) [budget, budgetNetworkId] = [first, networkId];
  }
  return { budget, budgetNetworkId };
}

/** Senders whose standing is remembered; more than most hosts have containers. */
const sendersAtMost = 4_096;

/** Where senders stand who are known by their addresses only: in the same object for as long as nothing changes. */
export class SenderStandings {
  readonly #bySource = new Map<IpAddress, GuardedStanding>();

  /** The network by which it was asked comes first. */
  of(source: IpAddress, index: Pick<AskerIndex, "standingOfSource">): Standing {
    const standing = askedBy(source, index.standingOfSource(source));
    if (standing.kind !== "guarded") return standing;
    const before = this.#bySource.get(source);
    if (before !== undefined && isSameStanding(before, standing)) return before;
    if (this.#bySource.size >= sendersAtMost) this.#bySource.clear();
    this.#bySource.set(source, standing);
    return standing;
  }
}

function askedBy(source: IpAddress, standing: Standing): Standing {
  if (standing.kind !== "guarded") return standing;
  const by = standing.memberships.find(({ addresses }) => addresses.includes(source));
  if (by === undefined) return standing;
  const others = standing.memberships.filter((membership) => membership !== by);
  return { ...standing, memberships: [by, ...others] };
}

function isSameStanding(a: GuardedStanding, b: GuardedStanding): boolean {
  if (a.settled !== b.settled || a.mayLose !== b.mayLose) return false;
  return isSameList(a.memberships, b.memberships, isSameMembership);
}

/** By the same picture: with another one come other policies. */
function isSameMembership(a: Membership, b: Membership): boolean {
  const isSame = a.networkId === b.networkId && a.policy === b.policy && a.labels === b.labels;
  return isSame && isSameList(a.addresses, b.addresses, Object.is);
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (one: T, other: T) => boolean): boolean {
  return a.length === b.length && a.every((one, at) => isSame(one, b[at] as T));
}

/** The network on which an address is the asker's own; empty for none. */
export function networkOf(address: IpAddress, memberships: readonly Membership[]): string {
  return memberships.find(({ addresses }) => addresses.includes(address))?.networkId ?? "";
}
