// How a query ended, and the bytes that say so.

import type { IpAddress } from "../../model/address.ts";
import { type Kept, RecentFailureError } from "../cache.ts";
import { CircleError } from "../circles.ts";
import { NoTurnError } from "../no-turn-error.ts";
import { type ExtendedError, extendedErrors, rcodes } from "../wire/codes.ts";
import { respondError } from "../wire/respond.ts";
import type { ResolveRequest } from "./request.ts";

/**
 * How a query ended. Of those that a name is allowed for, three never go upstream: `not-served` is of a type that this
 * asker is not served, `no-family` asks for addresses of a family that none of its networks has, `internal` comes from
 * internal networks only.
 */
export type Outcome =
  | "local"
  | "denied"
  | "not-served"
  | "no-family"
  | "internal"
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
  /** How many addresses were left out, unseen, because one answer opens no more. */
  readonly excess: number;
  /** Why it failed. */
  readonly cause: unknown;
  /** For how long the same question may be answered in the same way; undefined where it must be looked at anew. */
  readonly repeats: Repeats | undefined;
}

/** The same bytes for ever, or until an upstream's answer is over, whose TTL goes down meanwhile. */
export type Repeats = "unchanged" | (Kept & { readonly ttlSeconds: number });

/** An answer that nobody was asked for. */
export function resolvedHere(bytes: Uint8Array, outcome: Outcome, repeats?: "unchanged"): Resolution {
  return { ...nothing, bytes, outcome, repeats };
}

/** SERVFAIL, with the reason. */
export function failed(
  { query, limit }: ResolveRequest,
  extendedError: ExtendedError,
  cause: unknown,
): Resolution {
  const bytes = respondError({ head: query, limit, rcode: rcodes.servFail, extendedError });
  return { ...nothing, bytes, outcome: "failed", cause };
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

const nobodyAnswered: ExtendedError = {
  code: extendedErrors.noReachableAuthority,
  text: "no upstream resolver answered",
};
const failedBefore: ExtendedError = { code: extendedErrors.cachedError, text: "it failed a moment ago" };

/** Why there is no answer of an upstream, in the words that its asker gets. */
export function reasonOf(error: unknown): ExtendedError {
  if (error instanceof CircleError) return { code: extendedErrors.noReachableAuthority, text: error.message };
  if (error instanceof NoTurnError) return { code: extendedErrors.other, text: error.message };
  return error instanceof RecentFailureError ? failedBefore : nobodyAnswered;
}
