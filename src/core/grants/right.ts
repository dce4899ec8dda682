// What an asker may reach at one address: a right to a service, until it ends.

import { isSameService, type Service } from "../model/service.ts";

export interface Right {
  readonly service: Service;
  readonly domain: string;
  readonly expiresAtMs: number;
}

/** A part of a right that stays. */
export interface KeptRight extends Pick<Right, "domain" | "service"> {
  /** When what allows it ends, ms; Infinity for never. */
  readonly endsAtMs: number;
}

/** What stays of a right: the whole of it, and beside it only parts that last longer. */
export function partsOf(right: Right, kept: readonly KeptRight[]): readonly Right[] {
  const parts = kept.map(({ domain, service, endsAtMs }) => ({
    domain,
    service,
    expiresAtMs: Math.min(right.expiresAtMs, endsAtMs),
  }));
  const [whole] = parts
    .filter(({ service }) => isSameService(service, right.service))
    .toSorted((a, b) => b.expiresAtMs - a.expiresAtMs);
  if (whole === undefined) return parts;
  return [whole, ...parts.filter(({ expiresAtMs }) => expiresAtMs > whole.expiresAtMs)];
}

/** Rights with one more, or with it in the place of that to the same service. */
export function withRight(rights: readonly Right[] | undefined, right: Right): Right[] {
  // An array that something is put into has room for sixteen more: one that is made of its values has none.
  if (rights === undefined || rights.length === 0) return [right];
  const at = indexOf(rights, right.service);
  return at < 0 ? [...rights, right] : rights.with(at, right);
}

/** Where the right to exactly this service is; -1 for nowhere. */
export function indexOf(rights: readonly Right[], service: Service): number {
  const [first] = rights;
  // Mostly it is the very same one, out of the asker's list.
  if (first?.service === service) return 0;
  return rights.findIndex((right) => isSameService(right.service, service));
}
