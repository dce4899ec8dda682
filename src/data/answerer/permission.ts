// What the policies of an asker say of one name and of the addresses that it leads to. An upstream takes its time: what
// is allowed when it has answered is what counts.

import {
  type Decided,
  decideForEach,
  joinDecisions,
  type Membership,
} from "../../core/askers/index-of-askers.ts";
import type { AddressFilter } from "../../core/dns/address-filter.ts";
import type { AnswerGrant } from "../../core/dns/resolve/request.ts";
import { familyOfType } from "../../core/dns/wire/record-types.ts";
import type { Grant } from "../../core/grants/grant.ts";
import { type Family, familyOf } from "../../core/model/address.ts";
import { type DecidedName, leadFilter, secondsLeftAt } from "../../core/path/leads.ts";
import { type Decision, isAboveAllowed, type NamedAddress, termsAt } from "../../core/policy/decide.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError } from "../../errors.ts";
import { type Asked, hasEnds, isAudited } from "./arrival.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";

export class Permission {
  /** Of all networks of the asker together, when it asked. */
  readonly decision: Decision;
  /** The network on whose behalf the name is looked up: the first that allows it. */
  readonly speaker: Membership | undefined;
  /** When it was decided. */
  readonly decidedAtMs = monotonicMs();
  readonly #asked: Asked;
  readonly #networks: NetworkKnowledge;
  readonly #epoch: number;
  readonly #decided: readonly Decided[];
  /** The family of the addresses that are asked for; undefined for a question of another type. */
  readonly #family: Family | undefined;
  readonly #hasEnds: boolean;

  constructor(asked: Asked, networks: NetworkKnowledge) {
    this.#asked = asked;
    this.#networks = networks;
    this.#epoch = networks.epoch;
    this.#family = familyOfType(asked.query.question.type);
    this.#hasEnds = hasEnds(asked.memberships);
    this.#decided = decideForEach(asked.memberships, asked.query.question.name, this.decidedAtMs);
    this.decision = joinDecisions(this.#decided);
    const first = this.#decided.find(({ decision }) => decision.allowed) ?? this.#decided[0];
    this.speaker = first?.membership;
  }

  /** Whether a name below this one is allowed. */
  isAboveAllowed(): boolean {
    const { memberships, query } = this.#asked;
    return memberships.some(({ policy }) => isAboveAllowed(policy, query.question.name, this.decidedAtMs));
  }

  /** The families in which an answer is of use: those of the networks that allow the name, or in audit mode of all. */
  families(): ReadonlySet<Family> {
    const allowing = this.#decided.filter(({ decision }) => decision.allowed);
    const usable = allowing.length === 0 || isAudited(this.#asked) ? this.#decided : allowing;
    return new Set(usable.flatMap(({ membership }) => membership.addresses.map(familyOf)));
  }

  /** What becomes of the addresses that the name leads to. */
  filter(): AddressFilter {
    return leadFilter({
      own: [...this.#networks.own, ...this.#networks.neighbours],
      isHost: (address) => this.#networks.isHosts(address),
      decided: () => this.#named(),
      nowMs: this.decidedAtMs,
    });
  }

  /** For how long, from now, an address that the name leads to is open to it; Infinity without an end. */
  secondsLeft(at: NamedAddress): number {
    return this.#hasEnds ? secondsLeftAt(this.#named(), at, monotonicMs()) : Number.POSITIVE_INFINITY;
  }

  /** What an answer opens, now. @throws DockerwallError where the name, or an address, is not allowed any more */
  grantsFor(wanted: readonly AnswerGrant[]): Grant[] {
    const usable = this.#usable();
    const nowMs = monotonicMs();
    return wanted.flatMap((grant) => {
      const grants = grantsOf(grant, usable, nowMs);
      // In audit mode it is told all the same.
      if (grants.length > 0 || isAudited(this.#asked)) return grants;
      throw new DockerwallError(
        "NOT_FOUND",
        "the name is no longer allowed; its override ended during the lookup",
      );
    });
  }

  #named(): readonly DecidedName[] {
    return this.#usable().map(({ membership, ...named }) => ({ ...named, policy: membership.policy }));
  }

  /** The others have no address that could use the answer: what they say of its addresses opens and closes nothing. */
  #usable(): readonly Decided[] {
    const family = this.#family;
    if (family === undefined) return this.#latest();
    return this.#latest().filter(({ membership }) =>
      membership.addresses.some((address) => familyOf(address) === family),
    );
  }

  #latest(): readonly Decided[] {
    if (this.#epoch === this.#networks.epoch) return this.#decided;
    const now = this.#asked.standing();
    return now.kind === "guarded" && !now.mayLose
      ? decideForEach(now.memberships, this.#asked.query.question.name, monotonicMs())
      : [];
  }
}

/** Each network that allows the name opens it for its own address of the asker, for what it allows, until that ends. */
function grantsOf(grant: AnswerGrant, decided: readonly Decided[], nowMs: number): Grant[] {
  const family = familyOf(grant.address);
  return decided.flatMap(({ membership: { policy, addresses }, decision }) => {
    if (!decision.allowed) return [];
    const { address: destination, domain } = grant;
    const askers = addresses.filter((address) => familyOf(address) === family);
    return termsAt(policy, decision.terms, grant, nowMs).flatMap(({ services, endsAtMs = Infinity }) => {
      const leaseSeconds = Math.min(grant.leaseSeconds, Math.floor((endsAtMs - nowMs) / 1000));
      if (leaseSeconds < 1) return [];
      return services.flatMap((service) =>
        askers.map((asker) => ({ asker, destination, domain, service, leaseSeconds })),
      );
    });
  });
}
