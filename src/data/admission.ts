// Puts grants into the kernel and remembers them. When admit() returns, the asker's packets pass; when it throws, the
// ledger knows about everything that was opened.

import type { Membership } from "../core/askers/standing.ts";
import type { KernelRight } from "../core/grants/entry-index.ts";
import type { Grant } from "../core/grants/grant.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { PacketDecision } from "../core/policy/decide/packet.ts";
import type { Taker } from "../core/taker.ts";
import { DockerwallError } from "../errors.ts";
import { admitPacket } from "./admission/first-packet.ts";
import { GrantBatch, mergeEntries, type NetworkOf, type WantedGrants } from "./admission/grant-batch.ts";
import { RightsHealing } from "./admission/healing.ts";
import { Owners } from "./admission/owners.ts";
import type { Packet, PacketTuple } from "./admission/packet.ts";
import { type PolicyView, Rejudging } from "./admission/rejudging.ts";
import { type AdmissionOptions, pairsPerAsker, Rights } from "./admission/rights.ts";
import { UnknownEntries } from "./admission/unknown-entries.ts";
import { admitEntries } from "./grant-entries.ts";

export interface Admission {
  /**
   * Writes to the kernel only what it would forget too soon.
   * @param holder the sandbox that asked; undefined where none was known to have the address
   * @returns when the first of these rights ends, ms by `nowMs`
   * @throws DockerwallError when the kernel refuses, the asker holds too much, or another sandbox than the one that asked
   * has an address by now; nothing may be answered then.
   */
  admit(grants: readonly Grant[], networkOf: NetworkOf, holder?: string): number;
  /** The same together with all others of this turn of the event loop; at once where the kernel has them all. */
  admitInTurn(wanted: WantedGrants, taker: Taker<number>): void;
  /** The sandbox that has an address. */
  holderOf(asker: IpAddress): string | undefined;
  /** How often rights were taken away; what was concluded from rights before stands while it is the same. */
  readonly revocations: number;
  /** Whether a first packet may pass; the entry that lets it and its like pass is in the kernel on return. */
  judge(packet: Packet, memberships: readonly Membership[]): boolean;
  /** Whether an address is inside, see NamedAddress. */
  isInside(address: IpAddress): boolean;
  /** What the asker's policies say of a packet, by the names that led it to the address; nothing is opened. */
  verdict(packet: PacketTuple, memberships: readonly Membership[]): PacketDecision;
  /** Seconds that a live right of the asker to the address still has for the packet; undefined without one. */
  secondsLeft(packet: PacketTuple): number | undefined;
  /** The names that led the asker to an address. */
  namesOf(asker: IpAddress, destination: IpAddress): readonly string[];
  /**
   * Takes out of the kernel what these askers' policies, where they are others than before, no longer allow; then
   * `cut` must do the same with the open flows of the askers whose policy is another one. Only when it has returned is
   * it written down that they were judged: who dies in between is followed by one who judges again.
   */
  rejudge(policies: PolicyView, cut: (changed: ReadonlySet<IpAddress>) => void): void;
  /** Takes out of the kernel what was found there and is not allowed, whatever put it there. @returns how much */
  takeLeft(rights: readonly KernelRight[], membershipsOf: PolicyView["membershipsOf"]): number;
  /** True when the asker holds a live right to this address, for whatever service. */
  isOpen(asker: IpAddress, destination: IpAddress): boolean;
  /**
   * Says whose an address is. What another sandbox was granted at it, in this run or an earlier one, is taken away.
   * @returns false where the set of owners is full: nothing is granted at the address
   */
  own(asker: IpAddress, sandbox: string): boolean;
  /**
   * Nothing is left at an address of an earlier holder's open flows. Until this is said of an owner, the next daemon takes
   * it that some are.
   */
  cleared(asker: IpAddress): void;
  /** The addresses of which it was not said, in an earlier run either, and whose they are. */
  readonly uncleared: ReadonlyMap<IpAddress, string>;
  /** The sandbox that was told so of an address. */
  unplacedAt(asker: IpAddress): string | undefined;
  /** Takes away what this sandbox was granted at the address; nothing when it is another's by now. */
  disown(asker: IpAddress, sandbox: string): void;
  /** Puts all rights back into the kernel when some of them have gone from there. @returns how many; mostly none */
  heal(): number;
  /**
   * Takes out of the kernel what nobody was granted, and another program has put there.
   * @returns the askers that could use it: what they have opened by it goes on
   */
  takeUnknown(): Promise<ReadonlySet<IpAddress>>;
  /** Forgets what has run out. */
  sweep(): void;
}

/** Takes over what an earlier run left in the kernel. */
export function startAdmission(options: AdmissionOptions): Admission {
  return new KernelAdmission(options);
}

class KernelAdmission implements Admission {
  readonly #rights: Rights;
  readonly #owners: Owners;
  readonly #rejudging: Rejudging;
  readonly #healing: RightsHealing;
  readonly #unknown: UnknownEntries;
  readonly #batch: GrantBatch;
  #revocations = 0;

  constructor(options: AdmissionOptions) {
    this.#rights = new Rights(options);
    this.#owners = new Owners(options.sets);
    this.#healing = new RightsHealing(this.#rights);
    this.#unknown = new UnknownEntries(this.#rights);
    this.#batch = new GrantBatch({
      admitAll: (wanted) => this.#admitAll(wanted),
      endOf: (grants) => this.#rights.ledger.firstEnd(grants),
      // What one callback of the event loop admits, once it has returned: all that a system call has read.
      atEndOfTurn: (work) => process.nextTick(work),
    });
    const onRevoke = (): void => void this.#revocations++;
    this.#rejudging = new Rejudging({ rights: this.#rights, owners: this.#owners, onRevoke });
  }

  get revocations(): number {
    return this.#revocations;
  }

  admit(grants: readonly Grant[], networkOf: NetworkOf, holder?: string): number {
    this.#admitAll([{ grants, networkOf, holder }]);
    return this.#rights.ledger.firstEnd(grants);
  }

  admitInTurn(wanted: WantedGrants, taker: Taker<number>): void {
    const { ledger, nowMs } = this.#rights;
    if (ledger.due(wanted.grants, nowMs()).length > 0) {
      this.#batch.admit(wanted, taker);
      return;
    }
    let endAtMs: number;
    try {
      endAtMs = this.admit(wanted.grants, wanted.networkOf, wanted.holder);
    } catch (error) {
      taker.fail(error);
      return;
    }
    taker.take(endAtMs);
  }

  isInside(address: IpAddress): boolean {
    return this.#rights.isInside(address);
  }

  holderOf(asker: IpAddress): string | undefined {
    return this.#owners.of(asker)?.sandbox;
  }

  judge(packet: Packet, memberships: readonly Membership[]): boolean {
    return admitPacket(this.#rights, packet, memberships);
  }

  verdict(packet: PacketTuple, memberships: readonly Membership[]): PacketDecision {
    return this.#rights.verdict(packet, memberships);
  }

  secondsLeft({ source, destination, protocol, port }: PacketTuple): number | undefined {
    const { ledger, nowMs } = this.#rights;
    return ledger.judge(source, destination, { protocol, port }, nowMs())?.secondsLeft;
  }

  namesOf(asker: IpAddress, destination: IpAddress): readonly string[] {
    return [...this.#rights.history.namesOf(asker, destination)];
  }

  rejudge(policies: PolicyView, cut: (changed: ReadonlySet<IpAddress>) => void): void {
    this.#rejudging.rejudge(policies, cut);
  }

  takeLeft(rights: readonly KernelRight[], membershipsOf: PolicyView["membershipsOf"]): number {
    const left = rights.filter(
      ({ set, key }) => !this.#rights.isHeldRightly(set, key, membershipsOf(key.second)),
    );
    if (left.length > 0) this.#revocations++;
    const bySet = Map.groupBy(left, ({ set }) => set);
    this.#rights.take(new Map([...bySet].map(([set, found]) => [set, found.map(({ key }) => key)])));
    return left.length;
  }

  isOpen(asker: IpAddress, destination: IpAddress): boolean {
    return this.#rights.ledger.isOpen(asker, destination, this.#rights.nowMs());
  }

  own(asker: IpAddress, sandbox: string): boolean {
    if (this.#owners.of(asker)?.sandbox === sandbox) return true;
    this.#revoke(asker);
    return this.#owners.own(asker, sandbox);
  }

  cleared(asker: IpAddress): void {
    const owner = this.#owners.of(asker);
    if (owner?.isCleared === false) this.#owners.set(asker, { ...owner, isCleared: true });
  }

  get uncleared(): ReadonlyMap<IpAddress, string> {
    return this.#owners.uncleared;
  }

  unplacedAt(asker: IpAddress): string | undefined {
    return this.#owners.unplacedAt(asker);
  }

  disown(asker: IpAddress, sandbox: string): void {
    this.#owners.forgetUnplaced(asker, sandbox);
    if (this.#owners.of(asker)?.sandbox !== sandbox) return;
    this.#revoke(asker);
    this.#owners.disown(asker);
  }

  heal(): number {
    return this.#healing.heal();
  }

  takeUnknown(): Promise<ReadonlySet<IpAddress>> {
    return this.#unknown.take();
  }

  sweep(): void {
    this.#rights.sweep();
  }

  /** All or nothing. */
  #admitAll(wanted: readonly WantedGrants[]): void {
    const { ledger, index, history, entries, nowMs } = this.#rights;
    const now = nowMs();
    for (const each of wanted) this.#assertHeld(each);
    const due = dueOf(wanted, ledger, now);
    if (ledger.exceedsLimit(due)) {
      const asker = due[0]?.asker ?? "";
      throw new DockerwallError(
        "KERNEL_REFUSED",
        `${asker} already holds ${pairsPerAsker} granted addresses; they run out by themselves`,
      );
    }
    const all = due.length === 0 ? due : ledger.withEarlier(due, now);
    for (const { grants, networkOf } of wanted)
      for (const { asker } of grants) index.place(asker, networkOf(asker));
    if (all.length > 0) {
      const missing = ledger.entriesFor(all, now);
      admitEntries(entries, hasRepetitions(all) ? mergeEntries(missing) : missing);
      ledger.record(all, now);
    }
    const note = ({ asker, destination, domain }: Grant): void =>
      history.note(asker, destination, domain, now);
    for (const { grants } of wanted) grants.forEach(note);
    // The others are among those.
    for (let at = due.length; at < all.length; at++) note(all[at] as Grant);
  }

  /** While an upstream was asked, the asker may have gone, and its address be another's. */
  #assertHeld({ grants, holder }: WantedGrants): void {
    for (const { asker } of grants) {
      const now = this.holderOf(asker);
      if (now !== undefined && now !== holder)
        throw new DockerwallError("NOT_FOUND", `${asker} is another sandbox's than when it asked`);
      if (this.#owners.unplacedAt(asker) !== undefined)
        throw new DockerwallError("KERNEL_REFUSED", `${asker} has no owner, as the set of owners is full`);
    }
  }

  #revoke(asker: IpAddress): void {
    this.#revocations++;
    this.#rights.revoke(asker);
  }
}

/** Whether two of these grants may want the same entry. */
function hasRepetitions(grants: readonly Grant[]): boolean {
  if (grants.length < 2) return false;
  return new Set(grants.map(({ destination }) => destination)).size < grants.length;
}

/** Of all of them, the grants that the kernel must be told of. */
function dueOf(wanted: readonly WantedGrants[], ledger: Rights["ledger"], nowMs: number): Grant[] {
  const [only] = wanted;
  if (wanted.length === 1 && only !== undefined) return ledger.due(only.grants, nowMs);
  return wanted.flatMap(({ grants }) => ledger.due(grants, nowMs));
}
