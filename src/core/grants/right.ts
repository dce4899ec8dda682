// What an asker may reach at one address: a right to a service, until it ends.

import { isSameService, type Service } from "../model/service.ts";

export interface Right {
  readonly service: Service;
  readonly domain: string;
  readonly expiresAtMs: number;
  /** When what allows it ends, ms: no renewal goes on beyond. Mostly it never does, and then nothing is kept of it. */
  readonly endsAtMs?: number;
}

/** A part of a right that stays. */
export interface KeptRight extends Pick<Right, "domain" | "service"> {
  /** When what allows it ends, ms; Infinity for never. */
  readonly endsAtMs: number;
}

/** When what allows it ends, ms; Infinity for never. */
export function endOf({ endsAtMs = Number.POSITIVE_INFINITY }: Pick<Right, "endsAtMs">): number {
  return endsAtMs;
}

/** The same with its end; Infinity is none. */
export function until<Ending extends object>(
  ending: Ending,
  endsAtMs: number,
): Ending & Pick<Right, "endsAtMs"> {
  return endsAtMs === Number.POSITIVE_INFINITY ? ending : { ...ending, endsAtMs };
}

/** Whether a right is open for longer than another, or may be renewed for longer. */
export function outlasts(one: Right, other: Right): boolean {
  return one.expiresAtMs === other.expiresAtMs
    ? endOf(one) > endOf(other)
    : one.expiresAtMs > other.expiresAtMs;
}

/** What stays of a right: the whole of it, and beside it only parts that outlast it. */
export function partsOf(right: Right, kept: readonly KeptRight[]): readonly Right[] {
  const parts = kept.map(({ domain, service, endsAtMs }) =>
    until({ domain, service, expiresAtMs: Math.min(right.expiresAtMs, endsAtMs) }, endsAtMs),
  );
  const whole = parts
    .filter(({ service }) => isSameService(service, right.service))
    .reduce<Right | undefined>((most, part) => (most && !outlasts(part, most) ? most : part), undefined);
  return whole === undefined ? parts : [whole, ...parts.filter((part) => outlasts(part, whole))];
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
