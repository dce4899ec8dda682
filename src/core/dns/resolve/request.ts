// What resolveQuery() is given: one query, what is decided of it, and how to ask and to open.

import type { LeaseSettings } from "../../grants/lease.ts";
import type { Family, IpAddress } from "../../model/address.ts";
import type { Service } from "../../model/service.ts";
import type { NamedAddress } from "../../policy/decide/led-to.ts";
import type { Decision } from "../../policy/decide.ts";
import type { Taker } from "../../taker.ts";
import type { AddressFilter } from "../address-filter.ts";
import type { Looked } from "../cached-lookup.ts";
import type { Query, Question } from "../wire/question.ts";
import { types } from "../wire/record-types.ts";
import { addressOfReverseName } from "../wire/reverse.ts";

/** What an answer opens for its asker once it is admitted. */
export interface AnswerGrant {
  readonly address: IpAddress;
  /** The name that was asked for. */
  readonly domain: string;
  readonly services: readonly Service[];
  /** Whether it is private, or of this host's own networks. */
  readonly inside: boolean;
  /** Life from now, seconds; renewal never shortens a longer one. */
  readonly leaseSeconds: number;
}

/** An answer about one of Docker's own names or addresses. */
export type LocalAnswer =
  | { readonly kind: "addresses"; readonly addresses: readonly IpAddress[] }
  | { readonly kind: "pointers"; readonly targets: readonly string[] }
  | { readonly kind: "no-data" };

export interface ResolveRequest {
  readonly query: Query;
  readonly decision: Decision;
  /** True when a denied name is looked up all the same, and its answer keeps every address: none is granted. */
  readonly audit: boolean;
  /** Bytes that the answer may have; see `payloadLimit`. */
  readonly limit: number;
  /** Families that those of the asker's networks have whose addresses can use an answer. */
  readonly families: ReadonlySet<Family>;
  /** True when all networks of the asker are internal: Docker asks nobody for it then. */
  readonly isInside?: boolean;
  /** Types served for this asker beyond the default ones (`dockerwall.types`). */
  readonly extraTypes: ReadonlySet<number>;
  readonly filter: AddressFilter;
  /** For how many seconds, from now, an address that the filter opens stays open; without it, for ever. */
  secondsLeft?(at: NamedAddress): number;
  readonly lease: LeaseSettings;
  /** What Docker answers to it itself. */
  findLocal(question: Question): LocalAnswer | undefined;
  /** Fails, or throws, when no upstream answered in time. */
  lookup(question: Question, taker: Taker<Looked>): void;
  /** Why nobody can be asked for this asker, not even about what it may not have: it may be asking for others. */
  readonly circle?: string | undefined;
  /** Calls back once every grant is in the kernel; fails, or throws, when one of them is not. */
  admit(grants: readonly AnswerGrant[], taker: Taker<void>): void;
  /** False once the name may not be asked for, nor its answer told, any more; asked when it has waited. */
  isAllowedStill?(): boolean;
  /** True when a name below that of the question is allowed: to say that it does not exist would deny those, too. */
  isAboveAllowed?(): boolean;
  /** True for an address that this asker holds a live grant for: its reverse name may be asked for. */
  mayReverse?(address: IpAddress): boolean;
}

/** Whose address is open may be asked for by that address; nothing but the address itself leaves. */
export function isOpenReverse(request: ResolveRequest): boolean {
  const { name, type } = request.query.question;
  if (type !== types.ptr || request.mayReverse === undefined) return false;
  const address = addressOfReverseName(name);
  return address !== undefined && request.mayReverse(address);
}
