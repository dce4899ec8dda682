// What resolveQuery() asks of one lookup: what its asker's policies and networks say, and its effects. Worked out when it
// is asked for: while an upstream takes its time, nothing of it is kept.

import type { AddressFilter } from "../../core/dns/address-filter.ts";
import type { Looked } from "../../core/dns/cached-lookup.ts";
import { askAlong, type WayRequest } from "../../core/dns/circles.ts";
import {
  type AnswerGrant,
  isOpenReverse,
  type LocalAnswer,
  type ResolveRequest,
} from "../../core/dns/resolve/request.ts";
import { payloadLimit } from "../../core/dns/wire/message.ts";
import type { Query, Question } from "../../core/dns/wire/question.ts";
import type { Grant } from "../../core/grants/grant.ts";
import type { LeaseSettings } from "../../core/grants/lease.ts";
import type { Family, IpAddress } from "../../core/model/address.ts";
import type { NamedAddress } from "../../core/policy/decide/led-to.ts";
import type { Decision } from "../../core/policy/decide.ts";
import type { Taker } from "../../core/taker.ts";
import type { Admission } from "../admission.ts";
import type { NetworkResolvers, UpstreamChoice } from "../resolvers.ts";
import type { Asked } from "./arrival.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";
import type { Permission } from "./permission.ts";

/** Calls back once these grants are in the kernel; fails when one of them is not. */
export type Open = (grants: readonly Grant[], taker: Taker<void>) => void;

export interface ResolvingOptions {
  readonly lease: LeaseSettings;
  readonly networks: NetworkKnowledge;
  readonly resolvers: Pick<NetworkResolvers, "lookUp">;
  readonly admission: Pick<Admission, "isOpen">;
}

const noTypes: ReadonlySet<number> = new Set();

export class LookupRequest implements ResolveRequest {
  readonly #options: ResolvingOptions;
  readonly #asked: Asked;
  readonly #permission: Permission;
  readonly #open: Open;

  constructor(options: ResolvingOptions, asked: Asked, permission: Permission, open: Open) {
    this.#options = options;
    this.#asked = asked;
    this.#permission = permission;
    this.#open = open;
  }

  get query(): Query {
    return this.#asked.query;
  }

  get decision(): Decision {
    return this.#permission.decision;
  }

  get audit(): boolean {
    return this.#asked.facts.isAudited;
  }

  get limit(): number {
    return payloadLimit(this.#asked.query.edns, this.#asked.transport);
  }

  get families(): ReadonlySet<Family> {
    return this.#permission.families;
  }

  get isInside(): boolean {
    return this.#options.networks.leadsOutside(this.#asked.memberships) === false;
  }

  get extraTypes(): ReadonlySet<number> {
    const { types = [] } = this.#permission.speaker?.labels ?? {};
    return types.length === 0 ? noTypes : new Set(types);
  }

  get filter(): AddressFilter {
    return this.#permission.filter();
  }

  get circle(): string | undefined {
    const way = this.#options.networks.circles.allowed(this.#choice, this.#asked.facts.addresses);
    return "circle" in way ? way.circle : undefined;
  }

  /** Where the permission for a name ends, the TTL in the answer ends with it. */
  get lease(): LeaseSettings {
    const { lease } = this.#options;
    const { decision, decidedAtMs } = this.#permission;
    if (!decision.allowed || decision.endsAtMs === undefined) return lease;
    const leftSeconds = Math.floor((decision.endsAtMs - decidedAtMs) / 1000);
    return { ...lease, ceilingSeconds: Math.min(lease.ceilingSeconds, Math.max(0, leftSeconds - 1)) };
  }

  secondsLeft(at: NamedAddress): number {
    return this.#permission.secondsLeft(at);
  }

  findLocal(question: Question): LocalAnswer | undefined {
    return this.#options.networks.findLocal(question, this.#asked.memberships);
  }

  lookup(question: Question, taker: Taker<Looked>): void {
    const { networks, resolvers } = this.#options;
    const { asker, deadlineAtMs, isGone, facts } = this.#asked;
    const { budgetNetworkId } = facts;
    const networkId = this.#permission.speaker?.networkId ?? "";
    const isDenied = (): boolean => !this.isAllowedStill();
    const way: WayRequest = {
      circles: networks.circles,
      choice: this.#choice,
      asker: facts.addresses,
      ask: (choice, its) =>
        resolvers.lookUp(
          question,
          { asker, budgetNetworkId, networkId, deadlineAtMs, isGone, isDenied, choice },
          its,
        ),
    };
    askAlong(way, taker);
  }

  isAllowedStill(): boolean {
    const permission = this.#permission;
    return !permission.mayHaveEnded || permission.isLookedUpNow() || isOpenReverse(this);
  }

  isAboveAllowed(): boolean {
    return this.#permission.isAboveAllowed();
  }

  mayReverse(address: IpAddress): boolean {
    return this.#asked.facts.addresses.some((each) => this.#options.admission.isOpen(each, address));
  }

  admit(wanted: readonly AnswerGrant[], taker: Taker<void>): void {
    this.#open(this.#permission.grantsFor(wanted), taker);
  }

  /** The resolvers that the label of the speaking network names. */
  get #choice(): UpstreamChoice {
    return this.#permission.speaker?.labels.upstream;
  }
}
