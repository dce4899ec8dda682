// What the policies of an asker say of one name and of the addresses that it leads to. An upstream takes its time: what
// is allowed when it has answered is what counts.

import { type Decided, decideForEach, joinDecisions } from "../../core/askers/decided.ts";
import type { Membership } from "../../core/askers/standing.ts";
import type { AddressFilter } from "../../core/dns/address-filter.ts";
import { NoTurnError } from "../../core/dns/no-turn-error.ts";
import type { AnswerGrant } from "../../core/dns/resolve/request.ts";
import { familyOfType } from "../../core/dns/wire/record-types.ts";
import type { Grant } from "../../core/grants/grant.ts";
import { until } from "../../core/grants/right.ts";
import { type Family, familyOf, type IpAddress } from "../../core/model/address.ts";
import { type LeadOptions, leadFilter, secondsLeftAt } from "../../core/path/leads.ts";
import { type NamedAddress, termsAt } from "../../core/policy/decide/led-to.ts";
import { type Decision, isAboveAllowed } from "../../core/policy/decide.ts";
import { withOne } from "../../core/with-one.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import type { Asked } from "./arrival.ts";
import { factsOf } from "./askers.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";

export class Permission implements LeadOptions {
  /** Of all networks of the asker together, when it asked. */
  readonly decision: Decision;
  /** The network on whose behalf the name is looked up, or denied: the first that allows it, or by whose mode it is. */
  readonly speaker: Membership | undefined;
  /** When it was decided. */
  readonly decidedAtMs = monotonicMs();
  readonly #asked: Asked;
  readonly #networks: NetworkKnowledge;
  readonly #epoch: number;
  readonly #decided: readonly Decided[];
  /** The family of the addresses that are asked for; undefined for a question of another type. */
  readonly #family: Family | undefined;
  #families: ReadonlySet<Family> | undefined;
  /** Of what was decided when it asked, what counts for such addresses. */
  #usableThen: readonly Decided[] | undefined;

  constructor(asked: Asked, networks: NetworkKnowledge) {
    this.#asked = asked;
    this.#networks = networks;
    this.#epoch = networks.epoch;
    this.#family = familyOfType(asked.query.question.type);
    this.#decided = decideForEach(asked.memberships, asked.query.question.name, this.decidedAtMs);
    this.decision = joinDecisions(this.#decided);
    this.speaker = speakerOf(this.#decided, asked.facts.isAudited);
  }

  /** Whether a name below this one is allowed. */
  isAboveAllowed(): boolean {
    const { memberships, query } = this.#asked;
    return memberships.some(({ policy }) => isAboveAllowed(policy, query.question.name, this.decidedAtMs));
  }

  /** Whether time or another picture may have ended what allowed the name to be looked up. */
  get mayHaveEnded(): boolean {
    return this.#epoch !== this.#networks.epoch || this.#asked.facts.hasEnds;
  }

  /** Whether what is in force now has the name looked up. */
  isLookedUpNow(): boolean {
    const now = this.#asked.standing();
    if (now.kind !== "guarded") return false;
    return factsOf(now.memberships).isAudited || joinDecisions(this.#decidedNow()).allowed;
  }

  /** The families in which an answer is of use: those of the networks that allow the name, or in audit mode of all. */
  get families(): ReadonlySet<Family> {
    this.#families ??= this.#findFamilies();
    return this.#families;
  }

  #findFamilies(): ReadonlySet<Family> {
    const ofAll = !this.decision.allowed || this.#asked.facts.isAudited;
    let has4 = false;
    let has6 = false;
    for (const { membership, decision } of this.#decided) {
      if (!ofAll && !decision.allowed) continue;
      for (const address of membership.addresses) {
        if (familyOf(address) === 4) has4 = true;
        else has6 = true;
      }
    }
    if (has4) return has6 ? bothFamilies : only4;
    return has6 ? only6 : noFamily;
  }

  /** What becomes of the addresses that the name leads to. */
  filter(): AddressFilter {
    return leadFilter(this);
  }

  get own(): AddressFilter["own"] {
    return this.#networks.inside;
  }

  get nowMs(): number {
    return this.decidedAtMs;
  }

  isHost(address: IpAddress): boolean {
    return this.#networks.isHosts(address);
  }

  decided(): readonly Decided[] {
    return this.#usable();
  }

  /** For how long, from now, an address that the name leads to is open to it; Infinity without an end. */
  secondsLeft(at: NamedAddress): number {
    return this.#asked.facts.hasEnds
      ? secondsLeftAt(this.#usable(), at, monotonicMs())
      : Number.POSITIVE_INFINITY;
  }

  /** What an answer opens, now. @throws NoTurnError where the name, or an address, is not allowed any more */
  grantsFor(wanted: readonly AnswerGrant[]): Grant[] {
    const usable = this.#usable();
    const nowMs = monotonicMs();
    let grants: Grant[] = [];
    for (const grant of wanted) {
      const before = grants.length;
      grants = withGrants(grants, grant, { usable, nowMs });
      // In audit mode the answer keeps it all the same.
      if (grants.length > before || this.#asked.facts.isAudited) continue;
      throw new NoTurnError("denied");
    }
    return grants;
  }

  /** The others have no address that could use the answer: what they say of its addresses opens and closes nothing. */
  #usable(): readonly Decided[] {
    if (this.#epoch !== this.#networks.epoch) return usableOf(this.#decidedNow(), this.#family);
    this.#usableThen ??= usableOf(this.#decided, this.#family);
    return this.#usableThen;
  }

  #decidedNow(): readonly Decided[] {
    const now = this.#asked.standing();
    return now.kind === "guarded" && !now.mayLose
      ? decideForEach(now.memberships, this.#asked.query.question.name, monotonicMs())
      : [];
  }
}

const bothFamilies: ReadonlySet<Family> = new Set([4, 6]);
const only4: ReadonlySet<Family> = new Set([4]);
const only6: ReadonlySet<Family> = new Set([6]);
const noFamily: ReadonlySet<Family> = new Set();

function speakerOf(decided: readonly Decided[], isAudited: boolean): Membership | undefined {
  for (const { membership, decision } of decided) if (decision.allowed) return membership;
  for (const { membership } of decided)
    if ((membership.labels.mode === "audit") === isAudited) return membership;
  return decided[0]?.membership;
}

function usableOf(decided: readonly Decided[], family: Family | undefined): readonly Decided[] {
  if (family === undefined) return decided;
  const isUsable = ({ membership }: Decided): boolean => hasFamily(membership.addresses, family);
  return decided.every(isUsable) ? decided : decided.filter(isUsable);
}

function hasFamily(addresses: readonly IpAddress[], family: Family): boolean {
  for (const address of addresses) if (familyOf(address) === family) return true;
  return false;
}

/** Each network that allows the name opens it for its own address of the asker, for what it allows, until that ends. */
function withGrants(
  before: Grant[],
  grant: AnswerGrant,
  { usable, nowMs }: { readonly usable: readonly Decided[]; readonly nowMs: number },
): Grant[] {
  let grants = before;
  const { address: destination, domain } = grant;
  const family = familyOf(destination);
  for (const { membership, policy, decision } of usable) {
    if (!decision.allowed) continue;
    for (const { services, endsAtMs = Infinity } of termsAt(policy, decision.terms, grant, nowMs)) {
      const leaseSeconds = Math.min(grant.leaseSeconds, Math.floor((endsAtMs - nowMs) / 1000));
      if (leaseSeconds < 1) continue;
      for (const service of services) {
        for (const asker of membership.addresses)
          if (familyOf(asker) === family)
            grants = withOne(grants, until({ asker, destination, domain, service, leaseSeconds }, endsAtMs));
      }
    }
  }
  return grants;
}
