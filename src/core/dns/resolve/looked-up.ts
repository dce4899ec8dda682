// What an upstream's answer becomes: the addresses that it may hold, the grants that they need, and the bytes.

import { leaseSeconds, toldSeconds } from "../../grants/lease.ts";
import { familyOf, type IpAddress } from "../../model/address.ts";
import { withOne } from "../../with-one.ts";
import { judgeAddress } from "../address-filter.ts";
import { addressesPerAnswer, type Looked } from "../cached-lookup.ts";
import { renderAnswer } from "../wire/answer/response.ts";
import type { Answer } from "../wire/answer.ts";
import { type ExtendedError, extendedErrors, rcodes } from "../wire/codes.ts";
import type { AnswerGrant, ResolveRequest } from "./request.ts";
import { failed, type Repeats, type Resolution } from "./resolution.ts";

/** A judged answer of an upstream: it may leave once its grants are in the kernel. */
export interface JudgedAnswer {
  readonly looked: Looked;
  readonly answer: Answer;
  /** The TTL in the client's answer, seconds. */
  readonly told: number;
  readonly picked: Picked;
  readonly grants: readonly AnswerGrant[];
}

interface Picked {
  /** What the answer tells. */
  readonly granted: readonly IpAddress[];
  /** What of it the answer opens. */
  readonly opened: readonly { readonly address: IpAddress; readonly inside: boolean }[];
  readonly refused: readonly IpAddress[];
  readonly excess: number;
}

/** Walks the answer and says what it tells and opens; a failure where it is none. */
export function judgeLooked(request: ResolveRequest, looked: Looked): JudgedAnswer | Resolution {
  const { query, decision, lease } = request;
  const { answer } = looked;
  if (answer.kind === "bad") {
    const text = `upstream answer refused: ${answer.problem}`;
    return failed(request, { code: extendedErrors.networkError, text }, new Error(text));
  }
  const picked = pickAddresses(request, answer);
  const lasts = looked.stale ? staleTtlSeconds : answer.ttlSeconds - looked.ageSeconds;
  const told = toldSeconds(lease, Math.min(lasts, openSeconds(request, picked)));
  const grants = decision.allowed
    ? picked.opened.map(({ address, inside }) => ({
        address,
        domain: query.question.name,
        services: decision.services,
        inside,
        leaseSeconds: leaseSeconds(lease, told),
      }))
    : [];
  return { looked, answer, told, picked, grants };
}

/** Until the first of its addresses is closed by the end of what opens it, less the second by which a grant is longer. */
function openSeconds(request: ResolveRequest, { opened }: Picked): number {
  let least = Number.POSITIVE_INFINITY;
  if (request.secondsLeft === undefined) return least;
  for (const at of opened) least = Math.min(least, request.secondsLeft(at) - 1);
  return least;
}

/** The answer of which everything is open that it tells. */
export function concludeAnswer(request: ResolveRequest, judged: JudgedAnswer): Resolution {
  const { looked, answer, told, picked } = judged;
  const { query, audit } = request;
  const kept = audit && picked.refused.length > 0 ? [...picked.granted, ...picked.refused] : picked.granted;
  const onlyRefused = picked.granted.length === 0 && picked.refused.length > 0;
  const bytes = renderAnswer(answer, {
    head: query,
    limit: request.limit,
    tellTtl: () => told,
    keep: kept.length === answer.addresses.length ? undefined : isOneOf(kept),
    extendedError: audit
      ? undefined
      : (refusalOf(query.question.name, picked.refused) ?? (looked.stale ? staleAnswer : undefined)),
  });
  return {
    bytes,
    outcome: onlyRefused && !audit ? "refused-private" : "answered",
    granted: kept,
    refused: picked.refused,
    onlyRefused,
    isNoName: answer.rcode === rcodes.nxDomain,
    excess: picked.excess,
    cause: undefined,
    repeats: repeatsOf(judged),
  };
}

/** A "no" of ours in the place of all that was refused has a TTL of its own; what is too much is not kept. */
function repeatsOf({ looked: { kept }, answer: { ttlSeconds }, picked }: JudgedAnswer): Repeats | undefined {
  const isEmptied = picked.refused.length > 0 && picked.granted.length === 0;
  if (kept === undefined || isEmptied || picked.excess > 0) return undefined;
  return { ...kept, ttlSeconds };
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

function isOneOf(addresses: readonly IpAddress[]): (address: IpAddress) => boolean {
  const all = new Set(addresses);
  return (address) => all.has(address);
}

/** Judging takes longest, by every list of the asker: no more addresses are judged than an answer may hold. */
function pickAddresses({ filter, families }: ResolveRequest, { addresses }: Answer): Picked {
  let granted: IpAddress[] = [];
  let opened: { address: IpAddress; inside: boolean }[] = [];
  let refused: IpAddress[] = [];
  let usable = 0;
  for (const { address, bytes } of addresses) {
    if (!families.has(familyOf(address))) continue;
    usable += 1;
    if (usable > addressesPerAnswer) continue;
    const { verdict, inside } = judgeAddress(filter, address, bytes);
    if (verdict === "refused") refused = withOne(refused, address);
    else {
      granted = withOne(granted, address);
      if (verdict === "opened") opened = withOne(opened, { address, inside });
    }
  }
  return { granted, opened, refused, excess: Math.max(0, usable - addressesPerAnswer) };
}
