// One query, in the order that makes it safe:
//
// 1. Docker's own names are answered from the inventory; nothing leaves.
// 2. A denied name is answered here (P3): it never reaches an upstream, not even its first label.
// 3. A type that we do not serve, or that this asker cannot use, is answered here.
// 4. Upstream is asked with our own message; apart from the question, no byte of the client's is in it.
// 5. The answer is walked; unrelated and private records are dropped (P6).
// 6. The grants are admitted, and only then is there an answer (P2). Without grants there is no address.

import { type LeaseSettings, leaseSeconds, toldSeconds } from "../grants/lease.ts";
import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import type { Service } from "../model/service.ts";
import type { Decision } from "../policy/decide.ts";
import { type AddressFilter, judgeAddress } from "./address-filter.ts";
import { RecentFailureError } from "./cache.ts";
import { CircleError } from "./circles.ts";
import { NoTurnError } from "./fair-queue.ts";
import type { Kept, Looked, Lookup } from "./looked.ts";
import { canaryName } from "./probe.ts";
import { type Answer, renderAnswer } from "./wire/answer.ts";
import { type ExtendedError, extendedErrors, rcodes } from "./wire/codes.ts";
import { labelCount } from "./wire/name.ts";
import type { Query, Question } from "./wire/question.ts";
import { isServedType, nameOfType, types } from "./wire/record-types.ts";
import {
  blockedBy,
  respondAddresses,
  respondAny,
  respondError,
  respondNoData,
  respondNxDomain,
  respondPointers,
} from "./wire/respond.ts";
import { addressOfReverseName } from "./wire/reverse.ts";

/** Addresses that one answer may open. */
const maxAddressesPerAnswer = 256;

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

export type FindLocal = (question: Question) => LocalAnswer | undefined | Promise<LocalAnswer | undefined>;
/** Returns once every grant is in the kernel; throws or rejects when one of them is not. */
export type Admit = (grants: readonly AnswerGrant[]) => void | Promise<void>;

export interface ResolveRequest {
  readonly query: Query;
  readonly decision: Decision;
  /** True when a denied name is looked up all the same, and every address is told: nothing of it is granted. */
  readonly audit: boolean;
  /** Bytes that the answer may have; see `payloadLimit`. */
  readonly limit: number;
  /** Families that the asker's networks have. */
  readonly families: ReadonlySet<Family>;
  /** Types served for this asker beyond the default ones (`dockerwall.types`). */
  readonly extraTypes: ReadonlySet<number>;
  readonly filter: AddressFilter;
  readonly lease: LeaseSettings;
  readonly findLocal: FindLocal;
  readonly lookup: Lookup;
  /** Why nobody can be asked for this asker, not even about what it may not have: it may be asking for others. */
  readonly circle?: string | undefined;
  readonly admit: Admit;
  /** True when a name below that of the question is allowed: to say that it does not exist would deny those, too. */
  readonly isAboveAllowed?: () => boolean;
  /** True for an address that this asker holds a live grant for: its reverse name may be asked for. */
  readonly mayReverse?: (address: IpAddress) => boolean;
}

/**
 * How a query ended. Of those that a name is allowed for, two never go upstream: `not-served` is of a type that this
 * asker is not served, `no-family` asks for addresses of a family that none of its networks has.
 */
export type Outcome =
  | "local"
  | "denied"
  | "not-served"
  | "no-family"
  | "answered"
  | "refused-private"
  | "failed";

export interface Resolution {
  readonly bytes: Uint8Array;
  readonly outcome: Outcome;
  /** Addresses that the answer tells; in the kernel since before it, but for those that only audit mode lets pass. */
  readonly granted: readonly IpAddress[];
  /** Addresses that the private-answer filter left out, or would have but for audit mode. */
  readonly refused: readonly IpAddress[];
  /** True when it left out all that there were, or would have. */
  readonly onlyRefused: boolean;
  /** True when there is no such name, by the upstream's word. */
  readonly isNoName: boolean;
  /** How many addresses were left out because one answer opens no more. */
  readonly excess: number;
  /** Why it failed. */
  readonly cause: unknown;
  /** For how long the same question may be answered in the same way; undefined where it must be looked at anew. */
  readonly repeats: Repeats | undefined;
}

/** The same bytes for ever, or until an upstream's answer is over, whose TTL goes down meanwhile. */
export type Repeats = "unchanged" | (Kept & { readonly ttlSeconds: number });

/** Resolves one query. Never throws and never rejects: every failure is an answer. */
export async function resolveQuery(request: ResolveRequest): Promise<Resolution> {
  try {
    return (await answerLocally(request)) ?? (await answerFromUpstream(request));
  } catch (error) {
    if (error instanceof CircleError) return failed(request, reasonOf(error), error);
    return failed(request, { code: extendedErrors.other, text: "internal error" }, error);
  }
}

/** Firefox turns its own DNS over HTTPS off when this name does not exist. */
const firefoxCanaryName = "use-application-dns.net";

async function answerLocally(request: ResolveRequest): Promise<Resolution | undefined> {
  const { query, decision, findLocal } = request;
  const reply = { head: query, limit: request.limit };
  const found = (await findLocal(query.question)) ?? findLoopback(request);
  if (found !== undefined) return local(respondLocal(request, found), "local");
  // Our own canary is denied in audit mode too: by its denial we know whether we are asked.
  if (!decision.allowed && (!request.audit || query.question.name === canaryName)) {
    if (isOpenReverse(request)) return undefined;
    // A denial would be told to whoever asked this resolver, who may have the name.
    if (request.circle !== undefined) throw new CircleError(request.circle);
    const text = asksAsResolver(query.question) ? forwardOnly : undefined;
    const denial = { ...reply, extendedError: blockedBy(decision.network, text) };
    const isAbove = request.isAboveAllowed?.() ?? false;
    return local(isAbove ? respondNoData(denial) : respondNxDomain(denial), "denied", "unchanged");
  }
  const { name, qname, type } = query.question;
  if (name === firefoxCanaryName || labelCount(qname) < 2) return local(respondNxDomain(reply), "denied");
  if (type === types.any) return local(respondAny(reply), "not-served");
  if (lacksFamily(request)) return local(respondNoData(reply), "no-family", "unchanged");
  if (isServed(request)) return undefined;
  return local(respondNoData({ ...reply, extendedError: notServed(request) }), "not-served", "unchanged");
}

/** What only a resolver asks that goes to the root by itself, or that validates: it finds no key here. */
export function asksAsResolver({ name, type }: Question): boolean {
  if (type === types.dnskey || type === types.ds) return true;
  return (name === "." && type === types.ns) || /^_ta-[0-9a-f-]+$/.test(name);
}

const forwardOnly =
  "a resolver in a container must forward to 127.0.0.11, without DNSSEC validation and without asking the root";

function notServed({ query }: ResolveRequest): ExtendedError {
  const { type, name } = query.question;
  const text = asksAsResolver(query.question)
    ? `DNSSEC is not served; ${forwardOnly}`
    : type === types.txt
      ? `TXT is not served below a wildcard; add ${name} to dockerwall.allow, or TXT to dockerwall.types`
      : `${nameOfType(type)} is not served; add it to dockerwall.types`;
  return { code: extendedErrors.notSupported, text };
}

/** A resolver answers `localhost` itself (RFC 6761 6.3): it means the container, and opens nothing. */
function findLoopback({ query, families }: ResolveRequest): LocalAnswer | undefined {
  const { name, type } = query.question;
  if (name !== "localhost" && !name.endsWith(".localhost")) return undefined;
  if (type === types.a && families.has(4)) return { kind: "addresses", addresses: [loopback4] };
  if (type === types.aaaa && families.has(6)) return { kind: "addresses", addresses: [loopback6] };
  return { kind: "no-data" };
}

const loopback4 = "127.0.0.1" as IpAddress;
const loopback6 = "::1" as IpAddress;

function respondLocal({ query, limit }: ResolveRequest, found: LocalAnswer): Uint8Array {
  switch (found.kind) {
    case "addresses":
      return respondAddresses({ head: query, limit, addresses: found.addresses });
    case "pointers":
      return respondPointers({ head: query, limit, targets: found.targets });
    case "no-data":
      return respondNoData({ head: query, limit });
  }
}

/** Whose address is open may be asked for by that address; nothing but the address itself leaves. */
function isOpenReverse({ query, mayReverse }: ResolveRequest): boolean {
  if (query.question.type !== types.ptr || mayReverse === undefined) return false;
  const address = addressOfReverseName(query.question.name);
  return address !== undefined && mayReverse(address);
}

/** No address that is asked for could be used: no network of the asker has the family. */
function lacksFamily({ query, families }: ResolveRequest): boolean {
  const { type } = query.question;
  return (type === types.a && !families.has(4)) || (type === types.aaaa && !families.has(6));
}

function isServed({ query, decision, audit, extraTypes }: ResolveRequest): boolean {
  if (audit) return true;
  return isServedType(query.question.type, decision.allowed && decision.exact, extraTypes);
}

async function answerFromUpstream(request: ResolveRequest): Promise<Resolution> {
  const { query, decision, lease } = request;
  if (!decision.allowed && !request.audit && !isOpenReverse(request))
    throw new Error("a denied name must not reach an upstream");
  const services = decision.allowed ? decision.services : [];
  let looked: Looked;
  try {
    looked = await request.lookup(query.question);
  } catch (error) {
    return failed(request, reasonOf(error), error);
  }
  const { answer } = looked;
  if (answer.kind === "bad") {
    const text = `upstream answer refused: ${answer.problem}`;
    return failed(request, { code: extendedErrors.networkError, text }, new Error(text));
  }
  const told = looked.stale
    ? Math.min(staleTtlSeconds, lease.ceilingSeconds)
    : toldSeconds(lease, answer.ttlSeconds - looked.ageSeconds);
  const picked = pickAddresses(request, answer);
  const grants = (decision.allowed ? picked.opened : []).map(({ address, inside }) => ({
    address,
    domain: query.question.name,
    services,
    inside,
    leaseSeconds: leaseSeconds(lease, told),
  }));
  if (grants.length > 0) {
    try {
      await request.admit(grants);
    } catch (error) {
      return failed(
        request,
        { code: extendedErrors.other, text: "the grant failed; nothing was opened" },
        error,
      );
    }
  }
  const onlyRefused = picked.granted.size === 0 && picked.refused.length > 0;
  const onlyPrivate = onlyRefused && !request.audit;
  const bytes = renderAnswer(answer, {
    head: query,
    limit: request.limit,
    tellTtl: () => told,
    keep: (address) => picked.granted.has(address) || request.audit,
    extendedError: request.audit
      ? undefined
      : (refusalOf(query.question.name, picked.refused) ?? (looked.stale ? staleAnswer : undefined)),
  });
  return {
    bytes,
    outcome: onlyPrivate ? "refused-private" : "answered",
    granted: request.audit ? [...picked.granted, ...picked.refused] : [...picked.granted],
    refused: picked.refused,
    onlyRefused,
    isNoName: answer.rcode === rcodes.nxDomain,
    excess: picked.excess,
    cause: undefined,
    repeats: repeatsOf(looked, answer, picked),
  };
}

/** What left something out is counted each time. */
function repeatsOf(
  { kept }: Looked,
  { ttlSeconds }: Answer,
  { refused, excess }: Picked,
): Repeats | undefined {
  if (kept === undefined || refused.length > 0 || excess > 0) return undefined;
  return { ...kept, ttlSeconds };
}

const nobodyAnswered: ExtendedError = {
  code: extendedErrors.noReachableAuthority,
  text: "no upstream resolver answered",
};
const failedBefore: ExtendedError = { code: extendedErrors.cachedError, text: "it failed a moment ago" };

function reasonOf(error: unknown): ExtendedError {
  if (error instanceof CircleError) return { code: extendedErrors.noReachableAuthority, text: error.message };
  if (error instanceof NoTurnError) return { code: extendedErrors.other, text: error.message };
  return error instanceof RecentFailureError ? failedBefore : nobodyAnswered;
}

/** RFC 8767 4. */
const staleTtlSeconds = 30;
const staleAnswer: ExtendedError = {
  code: extendedErrors.staleAnswer,
  text: "no upstream resolver answered",
};

/** What was left out, and what to write to have it. */
function refusalOf(name: string, refused: readonly IpAddress[]): ExtendedError | undefined {
  const [first] = refused;
  if (first === undefined) return undefined;
  const more = refused.length === 1 ? "" : ` (and ${refused.length - 1} more)`;
  const text = `left out ${first}${more}: the name may not lead there; to allow it, add ${name}@${first}, or host:PORT if that is this host`;
  return { code: extendedErrors.blocked, text };
}

interface Picked {
  /** What the answer tells. */
  readonly granted: ReadonlySet<IpAddress>;
  /** What of it the answer opens. */
  readonly opened: readonly { readonly address: IpAddress; readonly inside: boolean }[];
  readonly refused: readonly IpAddress[];
  readonly excess: number;
}

function pickAddresses({ filter, families }: ResolveRequest, answer: Answer): Picked {
  const granted = new Set<IpAddress>();
  const opened: { address: IpAddress; inside: boolean }[] = [];
  const refused: IpAddress[] = [];
  let excess = 0;
  for (const { address, bytes } of answer.addresses) {
    if (!families.has(familyOf(address))) continue;
    const { verdict, inside } = judgeAddress(filter, address, bytes);
    if (verdict === "refused") refused.push(address);
    else if (granted.size === maxAddressesPerAnswer) excess++;
    else {
      granted.add(address);
      if (verdict === "opened") opened.push({ address, inside });
    }
  }
  return { granted, opened, refused, excess };
}

function local(bytes: Uint8Array, outcome: Outcome, repeats?: "unchanged"): Resolution {
  return { ...nothing, bytes, outcome, repeats };
}

const nothing = {
  granted: [],
  refused: [],
  onlyRefused: false,
  isNoName: false,
  excess: 0,
  cause: undefined,
  repeats: undefined,
} as const;

function failed({ query, limit }: ResolveRequest, extendedError: ExtendedError, cause: unknown): Resolution {
  const bytes = respondError({ head: query, limit, rcode: rcodes.servFail, extendedError });
  return { ...nothing, bytes, outcome: "failed", cause };
}
