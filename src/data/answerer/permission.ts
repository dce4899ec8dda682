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
import type { Grant } from "../../core/grants/grant.ts";
import { familyOf } from "../../core/model/address.ts";
import { leadFilter } from "../../core/path/leads.ts";
import { type Decision, isAboveAllowed, termsAt } from "../../core/policy/decide.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError } from "../../errors.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";
import type { Asked } from "./question.ts";

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

  constructor(asked: Asked, networks: NetworkKnowledge) {
    this.#asked = asked;
    this.#networks = networks;
    this.#epoch = networks.epoch;
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

  /** What becomes of the addresses that the name leads to. */
  filter(): AddressFilter {
    return leadFilter({
      own: [...this.#networks.own, ...this.#networks.neighbours],
      isHost: (address) => this.#networks.isHosts(address),
      decided: () =>
        this.#latest().map(({ membership, ...named }) => ({ ...named, policy: membership.policy })),
      nowMs: this.decidedAtMs,
    });
  }

  /** What an answer opens, now. @throws DockerwallError where the name, or an address, is not allowed any more */
  grantsFor(wanted: readonly AnswerGrant[]): Grant[] {
    const latest = this.#latest();
    const nowMs = monotonicMs();
    return wanted.flatMap((grant) => grantsOf(grant, latest, nowMs));
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
  const grants = decided.flatMap(({ membership: { policy, addresses }, decision }) => {
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
  if (grants.length > 0) return grants;
  if (!decided.some(({ decision }) => decision.allowed && (decision.endsAtMs ?? Infinity) - nowMs >= 1000))
    throw new DockerwallError(
      "NOT_FOUND",
      "the name is no longer allowed; its override ended during the lookup",
    );
  throw new DockerwallError("INTERNAL", `no address of the asker may use ${grant.address}`);
}
