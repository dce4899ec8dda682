// What is answered without asking an upstream: Docker's own names, denials, and types that are not served.

import type { IpAddress } from "../../model/address.ts";
import type { Decision, Denial } from "../../policy/decide.ts";
import { CircleError } from "../circles.ts";
import { canaryName } from "../probe.ts";
import { type ExtendedError, extendedErrors, rcodes } from "../wire/codes.ts";
import { isWithin, labelCount, nameOf } from "../wire/name.ts";
import type { Question } from "../wire/question.ts";
import { familyOfType, isServedType, nameOfType, types } from "../wire/record-types.ts";
import {
  respondAddresses,
  respondAny,
  respondError,
  respondNoData,
  respondNxDomain,
  respondPointers,
} from "../wire/respond.ts";
import { blockedBy } from "./denial.ts";
import { isOpenReverse, type LocalAnswer, type ResolveRequest } from "./request.ts";
import { type Resolution, resolvedHere } from "./resolution.ts";

/** Firefox turns its own DNS over HTTPS off when this name does not exist. */
const firefoxCanaryName = "use-application-dns.net";

/** Undefined for what an upstream must be asked. @throws CircleError where a denial would reach another asker */
export function answerHere(request: ResolveRequest): Resolution | undefined {
  const { query, decision } = request;
  // By its denial we know whether we are asked: no list, nor audit mode, nor a name that Docker knows changes that.
  if (query.question.name === canaryName) return deny(request);
  const found = request.findLocal(query.question) ?? findLoopback(request);
  if (found !== undefined) return resolvedHere(respondLocal(request, found), "local");
  if (decision.allowed || request.audit) return answerAllowed(request);
  return isOpenReverse(request) ? undefined : deny(request);
}

function deny(request: ResolveRequest): Resolution {
  const { query, decision, limit } = request;
  // A denial would reach the client of this resolver, which may have the name.
  if (request.circle !== undefined) throw new CircleError(request.circle);
  const remedy = asksAsResolver(query.question) ? forwardOnly : undefined;
  // Our own question knows its denial by the words.
  const why = decision.allowed || query.question.name === canaryName ? unlisted(decision) : decision;
  const denial = { head: query, limit, extendedError: blockedBy(why, remedy) };
  const isAbove = query.question.name !== canaryName && request.isAboveAllowed?.() === true;
  return resolvedHere(isAbove ? respondNoData(denial) : respondNxDomain(denial), "denied", "unchanged");
}

function unlisted(decision: Decision): Denial {
  return { allowed: false, network: decision.allowed ? "" : decision.network, by: [] };
}

function answerAllowed(request: ResolveRequest): Resolution | undefined {
  const { query, limit } = request;
  const reply = { head: query, limit };
  const { name, qname, type } = query.question;
  // These are nobody's to allow.
  if (name === firefoxCanaryName || labelCount(qname) < 2)
    return resolvedHere(respondNxDomain(reply), "denied");
  if (request.isInside === true) {
    const failure = { ...reply, rcode: rcodes.servFail, extendedError: onlyInside };
    return resolvedHere(respondError(failure), "internal", "unchanged");
  }
  if (type === types.any) return resolvedHere(respondAny(reply), "not-served");
  if (lacksFamily(request)) return resolvedHere(respondNoData(reply), "no-family", "unchanged");
  if (isServed(request)) return undefined;
  const notServedHere = respondNoData({ ...reply, extendedError: notServed(request) });
  return resolvedHere(notServedHere, "not-served", "unchanged");
}

/** As Docker does (since 23.0.11 and 25.0.5): what cannot leave by its packets must not leave in its lookups. */
const onlyInside: ExtendedError = {
  code: extendedErrors.noReachableAuthority,
  text: "all networks of this container are internal, and no name outside is looked up for it",
};

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
  const { qname, type } = query.question;
  if (!isWithin(qname, localhostName)) return undefined;
  const family = familyOfType(type);
  return family !== undefined && families.has(family)
    ? { kind: "addresses", addresses: [loopbacks[family]] }
    : { kind: "no-data" };
}

const localhostName = nameOf(Buffer.from("\x09localhost\0", "latin1"));

const loopbacks = { 4: "127.0.0.1" as IpAddress, 6: "::1" as IpAddress } as const;

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

/** No address that is asked for could be used: no network of the asker has the family. */
function lacksFamily({ query, families }: ResolveRequest): boolean {
  const family = familyOfType(query.question.type);
  return family !== undefined && !families.has(family);
}

function isServed({ query, decision, audit, extraTypes }: ResolveRequest): boolean {
  if (audit) return true;
  return isServedType(query.question.type, decision.allowed && decision.exact, extraTypes);
}
