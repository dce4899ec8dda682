// What is open, as we remember it: the rights of the ledger, the kernel's entries, and the names that led to them.

import type { Membership } from "../../core/askers/standing.ts";
import { isInside } from "../../core/dns/address-filter.ts";
import { setNames } from "../../core/firewall/names.ts";
import { parseComment, readableDomain } from "../../core/grants/comment.ts";
import { type AskerKey, type AskerSet, EntryIndex, isPairSet } from "../../core/grants/entry-index.ts";
import type { Grant } from "../../core/grants/grant.ts";
import { GrantLedger } from "../../core/grants/ledger.ts";
import { NameHistory } from "../../core/grants/name-history.ts";
import { addressBytes, type IpAddress } from "../../core/model/address.ts";
import { serviceAtPort } from "../../core/model/service.ts";
import { decideFrom } from "../../core/path/policy.ts";
import type { PacketDecision } from "../../core/policy/decide/packet.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../edge/kernel/ipset/message.ts";
import type { GrantEntriesOptions } from "../grant-entries.ts";
import type { PacketTuple } from "./packet.ts";

export interface AdmissionOptions {
  readonly sets: KernelSets;
  /** How much longer a right lives than the TTL in its client's answer, seconds. */
  readonly graceSeconds: number;
  readonly nowMs: () => number;
  /** Whether an address is private or of this host's own networks; by its meaning alone where it is not said. */
  readonly isInside?: (address: IpAddress) => boolean;
}

/** Live (asker, destination) pairs of one asker. */
export const pairsPerAsker = 8192;

/**
 * The kernel's clock and ours need not agree to the second on when an entry ends: it tells what is left of one in whole
 * seconds, rounded down.
 */
export const endMarginMs = 5_000;

export class Rights {
  readonly ledger: GrantLedger;
  readonly index = new EntryIndex();
  readonly history = new NameHistory();
  readonly sets: KernelSets;
  readonly nowMs: () => number;
  /** For those who write entries. */
  readonly entries: GrantEntriesOptions;

  /** Whether an address is inside, see NamedAddress. */
  readonly isInside: (address: IpAddress) => boolean;

  /** Takes over what an earlier run left in the kernel. */
  constructor({ sets, graceSeconds, nowMs, isInside: isInsideHere = isPrivate }: AdmissionOptions) {
    this.sets = sets;
    this.nowMs = nowMs;
    this.isInside = isInsideHere;
    this.ledger = new GrantLedger({ pairsPerAsker, renewalGainSeconds: graceSeconds / 2 });
    const { index, ledger } = this;
    this.entries = { sets, index, nowMs, isAsked: (to) => ledger.isAsked(to, nowMs()) };
    this.#adoptEntries();
  }

  /** By the policy of each network on which the source is the asker's. */
  verdict(packet: PacketTuple, memberships: readonly Membership[]): PacketDecision {
    const { source, destination, protocol: ipProtocol, port } = packet;
    const names = [...this.history.namesOf(source, destination)];
    const target = { source, destination, ipProtocol, port, inside: this.isInside(destination) };
    return decideFrom(memberships, target, names, this.nowMs());
  }

  isHeldRightly(set: AskerSet, key: AskerKey, memberships: readonly Membership[]): boolean {
    const { first: destination, second: source, protocol, port } = key;
    if (isPairSet(set)) return this.ledger.isOpen(source, destination, this.nowMs());
    return this.verdict({ source, destination, protocol, port }, memberships).allowed;
  }

  /** Takes away all that an asker has. @throws what the kernel refuses: the next attempt takes what is left */
  revoke(asker: IpAddress): void {
    this.ledger.forget(asker);
    this.history.forget(asker);
    this.take(this.index.bySet(asker));
  }

  /**
   * Takes entries out of the kernel. The ledger may have a right to them still, of a name that is not in the history any
   * more: then the next answer must tell the kernel of it anew.
   * @throws what the kernel refuses of one set; those of the others are gone then, and these are still known
   */
  take(entries: ReadonlyMap<AskerSet, readonly AskerKey[]>): void {
    const refusals: unknown[] = [];
    for (const [set, keys] of entries) {
      for (const { first: destination, second: asker, protocol, port } of keys)
        this.ledger.drop(asker, destination, { protocol, port });
      try {
        this.sets.del(setNames[set], keys);
        this.index.forget(set, keys);
      } catch (error) {
        refusals.push(error);
      }
    }
    if (refusals.length > 0) throw refusals[0];
  }

  /** Forgets what has run out, and its entry only when the kernel has none of it either: it would be nobody's there. */
  sweep(): void {
    this.ledger.sweep(this.nowMs());
    this.index.sweep(this.nowMs() - endMarginMs);
    this.history.sweep(this.nowMs());
  }

  #adoptEntries(): void {
    const nowMs = this.nowMs();
    // First those that say which right they are of: most of what passed by it is a right of its own to nobody.
    for (const set of ["pair4", "pair6", "grant4", "grant6"] as const)
      for (const entry of this.sets.list(setNames[set]))
        this.ledger.record(this.#adopt(set, entry, nowMs), nowMs);
  }

  /** @returns the right that an entry of an earlier run is of; none where it is of one that is known already */
  #adopt(set: AskerSet, { key, timeoutSeconds = 0, comment }: ListedEntry, nowMs: number): readonly Grant[] {
    if (key.kind !== "ip-port-ip") return [];
    this.index.note(set, key, nowMs + timeoutSeconds * 1000);
    const { first: destination, second: asker, protocol, port } = key;
    // What passed by an entry for its address has that in the place of a name.
    if (comment === undefined || comment === readableDomain(destination)) return [];
    const right = isPairSet(set)
      ? parseComment(comment)
      : { service: key.port === 0 ? undefined : serviceAtPort(key.protocol, key.port), domain: comment };
    this.history.note(asker, destination, right?.domain ?? comment, nowMs);
    if (right?.service === undefined || timeoutSeconds === 0) return [];
    const known = isPairSet(set)
      ? undefined
      : this.ledger.judge(asker, destination, { protocol, port }, nowMs);
    // The kernel rounds what is left of each of them.
    if (known !== undefined && known.secondsLeft >= timeoutSeconds - 1) return [];
    const { service, domain } = right;
    return [{ asker, destination, domain, service, leaseSeconds: timeoutSeconds }];
  }
}

/** By its meaning alone. */
function isPrivate(address: IpAddress): boolean {
  return isInside(addressBytes(address));
}
