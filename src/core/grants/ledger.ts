// The ledger of what is open: which asker may reach which address, for what, until when. The kernel sets enforce; the
// ledger remembers what a set entry cannot say (a right to every port), keeps the later of two expiries, and answers
// the kernel's questions about first packets. Time is an argument.

import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import { renderService, serviceGrants } from "../model/service.ts";
import { askEntry, entriesOf, type Grant, type GrantEntry, hasPair, isAsked } from "./grant.ts";
import { endOf, indexOf, type KeptRight, outlasts, partsOf, type Right, until, withRight } from "./right.ts";
import { Rotation } from "./rotation.ts";

export interface LedgerSettings {
  /** Most (asker, destination) pairs of one asker that are live at once. */
  readonly pairsPerAsker: number;
  /** A right is renewed once it would gain at least so much, seconds: what is left lasts longer than any answer. */
  readonly renewalGainSeconds: number;
}

/** Longest lease in seconds: what nobody looks up again for this long is closed. */
export const leaseCeilingSeconds = 86_400;

/** How long an address is kept for a name in use that no longer leads to it, seconds. */
const rotationSeconds = 3_600;
/** An older address is renewed when it would end so much sooner than a new one: not with every answer. */
const renewalSeconds = 30;

export class GrantLedger {
  readonly #settings: LedgerSettings;
  /** asker → destination → rights, each to another service; mostly one, and there may be a hundred thousand of it */
  readonly #rights = new Map<IpAddress, Map<IpAddress, Right[]>>();
  /** Latest expiry of each destination that is asked for. */
  readonly #asked = new Map<IpAddress, number>();
  readonly #rotation = new Rotation();

  constructor(settings: LedgerSettings) {
    this.#settings = settings;
  }

  /**
   * The grants that the kernel must be told of: the others are in it for nearly as long as they would be. All of them
   * count as answered now.
   */
  due(grants: readonly Grant[], nowMs: number): Grant[] {
    return grants.filter((grant) => {
      const gainMs = this.#expiry(grant, nowMs) - this.#knownEnd(grant);
      if (gainMs > this.#settings.renewalGainSeconds * 1000) return true;
      this.#rotation.note(grant.asker, grant.domain, grant.destination, nowMs);
      return false;
    });
  }

  /** When the first of these rights ends, ms; Infinity for none. */
  firstEnd(grants: readonly Grant[]): number {
    return grants.reduce((first, grant) => Math.min(first, this.#knownEnd(grant)), Number.POSITIVE_INFINITY);
  }

  /**
   * The grants, and what renews those of earlier answers to the same names: while an asker looks a name up, the
   * addresses that it was given before stay open as long as the new ones, until they have stood in no answer for an hour,
   * or what allows them ends.
   */
  withEarlier(grants: readonly Grant[], nowMs: number): readonly Grant[] {
    // Most names are new.
    const known = grants.filter(({ asker, domain }) => this.#rotation.knows(asker, domain));
    if (known.length === 0) return grants;
    const byName = Map.groupBy(known, ({ asker, domain }) => `${asker} ${domain}`);
    return [...grants, ...[...byName.values()].flatMap((group) => this.#renewals(group, nowMs))];
  }

  /** For grants of one asker and one name. */
  #renewals(grants: readonly Grant[], nowMs: number): Grant[] {
    const [{ asker, domain } = { asker: "" as IpAddress, domain: "" }] = grants;
    const told = new Set(grants.map(({ destination }) => destination));
    const earlier = [...this.#rotation.addressesOf(asker, domain)].filter(([address]) => !told.has(address));
    if (earlier.length === 0) return [];
    const byService = new Map(grants.map((grant) => [renderService(grant.service), grant]));
    return earlier.flatMap(([destination, answeredAtMs]) =>
      [...byService.values()].flatMap((grant) => {
        const right = this.#known({ ...grant, destination });
        // What has ended, or was taken away, is not opened again.
        if (right === undefined || right.expiresAtMs <= nowMs) return [];
        const endsAtMs = endOf(right);
        const leaseEndMs = nowMs + grant.leaseSeconds * 1000;
        const endMs = Math.min(leaseEndMs, answeredAtMs + rotationSeconds * 1000, endsAtMs);
        const marginSeconds = Math.min(renewalSeconds, grant.leaseSeconds / 12);
        if (endMs - right.expiresAtMs < marginSeconds * 1000) return [];
        const leaseSeconds = Math.floor((endMs - nowMs) / 1000);
        return leaseSeconds < 1 ? [] : [{ ...grant, destination, leaseSeconds, endsAtMs, answeredAtMs }];
      }),
    );
  }

  /** The entries that make these grants true in the kernel. Changes nothing: record() does, once they are in. */
  entriesFor(grants: readonly Grant[], nowMs: number): GrantEntry[] {
    const all: GrantEntry[] = [];
    for (const grant of grants) {
      const seconds = Math.ceil((this.#expiry(grant, nowMs) - nowMs) / 1000);
      for (const entry of entriesOf(grant, seconds)) all.push(entry);
      if (!hasPair(grant.service)) continue;
      const asked = Math.ceil(((this.#asked.get(grant.destination) ?? 0) - nowMs) / 1000);
      all.push(askEntry(grant, Math.max(seconds, asked)));
    }
    return all;
  }

  /** Remembers grants whose entries are in the kernel. */
  record(grants: readonly Grant[], nowMs: number): void {
    for (const grant of grants) {
      const expiresAtMs = this.#expiry(grant, nowMs);
      const destinations = entryOf(this.#rights, grant.asker, () => new Map<IpAddress, Right[]>());
      const { service, domain } = grant;
      const right = until({ service, domain, expiresAtMs }, this.#lastEnd(grant, nowMs));
      destinations.set(grant.destination, withRight(destinations.get(grant.destination), right));
      this.#rotation.note(grant.asker, domain, grant.destination, grant.answeredAtMs ?? nowMs);
      if (isAsked(service)) this.#noteAsked(grant.destination, expiresAtMs);
    }
  }

  /** True when these grants would exceed what one asker may hold. */
  exceedsLimit(grants: readonly Grant[]): boolean {
    const added = new Map<IpAddress, Set<IpAddress>>();
    for (const { asker, destination } of grants) {
      if (this.#rights.get(asker)?.has(destination)) continue;
      entryOf(added, asker, () => new Set<IpAddress>()).add(destination);
    }
    return [...added].some(
      ([asker, fresh]) => (this.#rights.get(asker)?.size ?? 0) + fresh.size > this.#settings.pairsPerAsker,
    );
  }

  /** The right that covers this packet, if any is live, and its seconds left. */
  judge(
    asker: IpAddress,
    destination: IpAddress,
    packet: { readonly protocol: number; readonly port: number | undefined },
    nowMs: number,
  ): { readonly domain: string; readonly secondsLeft: number } | undefined {
    let best: Right | undefined;
    for (const right of this.#rights.get(asker)?.get(destination) ?? []) {
      if (right.expiresAtMs <= nowMs || !serviceGrants(right.service, packet.protocol, packet.port)) continue;
      if (best === undefined || right.expiresAtMs > best.expiresAtMs) best = right;
    }
    if (best === undefined) return undefined;
    return { domain: best.domain, secondsLeft: Math.ceil((best.expiresAtMs - nowMs) / 1000) };
  }

  /** True when any right of the asker to this address is live. */
  isOpen(asker: IpAddress, destination: IpAddress, nowMs: number): boolean {
    const rights = this.#rights.get(asker)?.get(destination);
    return rights?.some((right) => right.expiresAtMs > nowMs) === true;
  }

  /** Keeps of each right of an asker only what `left` says, for as long as it says and it would have been. */
  narrow(
    asker: IpAddress,
    left: (destination: IpAddress, right: Pick<Right, "domain" | "service">) => readonly KeptRight[],
  ): void {
    const destinations = this.#rights.get(asker) ?? new Map<IpAddress, Right[]>();
    for (const [destination, rights] of destinations) {
      const narrowed = new Map<string, Right>();
      for (const right of rights) {
        for (const kept of partsOf(right, left(destination, right))) {
          const key = renderService(kept.service);
          const before = narrowed.get(key);
          if (before === undefined || outlasts(kept, before)) narrowed.set(key, kept);
        }
      }
      this.#leave(asker, destination, [...narrowed.values()]);
    }
  }

  /** Forgets the rights that cover a packet of which the kernel does not know any more. */
  drop(
    asker: IpAddress,
    destination: IpAddress,
    { protocol, port }: { readonly protocol: number; readonly port: number | undefined },
  ): void {
    const rights = this.#rights.get(asker)?.get(destination) ?? [];
    const left = rights.filter(({ service }) => !serviceGrants(service, protocol, port));
    if (left.length < rights.length) this.#leave(asker, destination, left);
  }

  /** All rights, or one asker's, that live on for a second at least, as grants of what is left of them. */
  live(nowMs: number, only?: IpAddress): Grant[] {
    const all = only === undefined ? [...this.#rights] : [[only, this.#rights.get(only) ?? []] as const];
    return all.flatMap(([asker, destinations]) =>
      [...destinations].flatMap(([destination, rights]) =>
        rights.flatMap(({ service, domain, expiresAtMs }) => {
          const leaseSeconds = Math.floor((expiresAtMs - nowMs) / 1000);
          return leaseSeconds < 1 ? [] : [{ asker, destination, domain, service, leaseSeconds }];
        }),
      ),
    );
  }

  /** An address of this family that the kernel asks for until then at least, if there is one. */
  findAsked(family: Family, untilMs: number): IpAddress | undefined {
    for (const [destination, expiresAtMs] of this.#asked)
      if (expiresAtMs > untilMs && familyOf(destination) === family) return destination;
    return undefined;
  }

  /** Forgets the addresses that nobody has a live right to any more: the kernel does not ask for them. */
  recountAsked(nowMs: number): void {
    this.#asked.clear();
    for (const { destination, service, leaseSeconds } of this.live(nowMs))
      if (isAsked(service)) this.#noteAsked(destination, nowMs + leaseSeconds * 1000);
  }

  /** True while the kernel asks for first packets to the address. */
  isAsked(destination: IpAddress, nowMs: number): boolean {
    return (this.#asked.get(destination) ?? 0) > nowMs;
  }

  /** Forgets every right of an asker. */
  forget(asker: IpAddress): void {
    this.#rights.delete(asker);
    this.#rotation.forget(asker);
  }

  /** Forgets what has run out; the kernel forgot it by itself. */
  sweep(nowMs: number): void {
    for (const [asker, destinations] of this.#rights) {
      for (const [destination, rights] of destinations) {
        const left = rights.filter((right) => right.expiresAtMs > nowMs);
        if (left.length < rights.length) this.#leave(asker, destination, left);
      }
    }
    for (const [destination, expiresAtMs] of this.#asked)
      if (expiresAtMs <= nowMs) this.#asked.delete(destination);
    this.#rotation.sweep(nowMs - rotationSeconds * 1000);
  }

  /** Leaves an asker these rights to an address. A pair without any does not count as one. */
  #leave(asker: IpAddress, destination: IpAddress, left: Right[]): void {
    const destinations = this.#rights.get(asker);
    if (left.length > 0) destinations?.set(destination, left);
    else destinations?.delete(destination);
    if (destinations?.size === 0) this.#rights.delete(asker);
  }

  #noteAsked(destination: IpAddress, expiresAtMs: number): void {
    this.#asked.set(destination, Math.max(expiresAtMs, this.#asked.get(destination) ?? 0));
  }

  /** A shorter lease never cuts a longer one short. */
  #expiry(grant: Grant, nowMs: number): number {
    const lease = Math.min(Math.max(1, grant.leaseSeconds), leaseCeilingSeconds);
    return Math.max(nowMs + lease * 1000, this.#knownEnd(grant));
  }

  /** When the last of what allows a grant ends: it may be another list that allows the right that there is. */
  #lastEnd(grant: Grant, nowMs: number): number {
    if (grant.endsAtMs === undefined) return Number.POSITIVE_INFINITY;
    const known = this.#known(grant);
    const isLive = known !== undefined && known.expiresAtMs > nowMs;
    return isLive ? Math.max(grant.endsAtMs, endOf(known)) : grant.endsAtMs;
  }

  /** 0 for a right that is not known. */
  #knownEnd(grant: Grant): number {
    return this.#known(grant)?.expiresAtMs ?? 0;
  }

  #known({ asker, destination, service }: Grant): Right | undefined {
    const rights = this.#rights.get(asker)?.get(destination);
    return rights?.[indexOf(rights, service)];
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
