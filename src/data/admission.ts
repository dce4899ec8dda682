// Puts grants into the kernel and remembers them. When admit() returns, the asker's packets pass; when it throws, the
// ledger knows about everything that was opened.

import type { Membership } from "../core/askers/index-of-askers.ts";
import { setNames } from "../core/firewall/names.ts";
import { parseComment, readableDomain } from "../core/grants/comment.ts";
import { type AskerKey, type AskerSet, EntryIndex, type KernelRight } from "../core/grants/entry-index.ts";
import type { Grant } from "../core/grants/grant.ts";
import { GrantLedger, leaseCeilingSeconds } from "../core/grants/ledger.ts";
import { NameHistory } from "../core/grants/name-history.ts";
import { familyOf, hostPrefix, type IpAddress } from "../core/model/address.ts";
import { intersectServices } from "../core/model/service-set.ts";
import { decideFrom } from "../core/path/policy.ts";
import { decideName, type PacketDecision, servicesAt } from "../core/policy/decide.ts";
import { digestOf } from "../core/policy/digest.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../errors.ts";
import { addEntry, admitEntries, isCrowded } from "./grant-entries.ts";

export interface PacketTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
}

export interface Packet extends PacketTuple {
  /** What the kernel's sets take for the port: the port, type * 256 + code for ICMP, else 0. */
  readonly setPort: number;
}

/** Everybody's policies, as they are now. */
export interface PolicyView {
  /** While it is the same, nobody's key is another: most pictures bring a container, and no policy. */
  readonly epoch: string;
  /** Another key, another policy; undefined while nothing is known of the address. */
  keyOf(asker: IpAddress): string | undefined;
  membershipsOf(asker: IpAddress): readonly Membership[];
}

/** Who has an address, and what was decided by when something was last granted to it. */
interface Owner {
  readonly sandbox: string;
  /** Of the policy; undefined until it was first judged. */
  readonly digest: string | undefined;
}

export interface Admission {
  /**
   * The kernel is told only of what it would forget too soon.
   * @returns when the first of these rights ends, ms by `nowMs`
   * @throws DockerwallError when the kernel refuses or the asker holds too much; nothing may be answered then.
   */
  admit(grants: readonly Grant[], networkOf: (asker: IpAddress) => string): number;
  /** How often rights were taken away; what was concluded from rights before stands while it is the same. */
  readonly revocations: number;
  /** Whether a first packet may pass; the entry that lets it and its like pass is in the kernel on return. */
  judge(packet: Packet, memberships: readonly Membership[]): boolean;
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
  /** Takes out of the kernel what was read there and is not allowed, whoever put it there. @returns how much that was */
  takeLeft(rights: readonly KernelRight[], membershipsOf: PolicyView["membershipsOf"]): number;
  /** True when the asker holds a live right to this address, for whatever service. */
  isOpen(asker: IpAddress, destination: IpAddress): boolean;
  /**
   * Says whose an address is. What another sandbox was granted at it, in this run or an earlier one, is taken away.
   * @returns true when it has changed hands: its open flows are the earlier holder's, too
   */
  own(asker: IpAddress, sandbox: string): boolean;
  /** Takes away what this sandbox was granted at the address; nothing when it is another's by now. */
  disown(asker: IpAddress, sandbox: string): void;
  /** Puts all rights back into the kernel when some of them have gone from there. @returns how many; mostly none */
  heal(): number;
  /** Forgets what has run out. */
  sweep(): void;
}

/** Live (asker, destination) pairs of one asker. */
const pairsPerAsker = 8192;

/** How long a flow right under an address entry of the allowlist stands before the kernel asks again, seconds. */
const addressLeaseSeconds = 3600;

const families = [4, 6] as const;
/** The kernel's clock and ours need not agree to the second on when an entry ends. */
const sampleMarginMs = 5_000;

/** Takes over what an earlier run left in the kernel. */
export function startAdmission(options: {
  readonly sets: KernelSets;
  /** What a right lives longer than what its client was told, seconds. */
  readonly graceSeconds: number;
  readonly nowMs: () => number;
}): Admission {
  const { sets, nowMs } = options;
  const ledger = new GrantLedger({ pairsPerAsker, renewalGainSeconds: options.graceSeconds / 2 });
  const index = new EntryIndex();
  const history = new NameHistory();
  ledger.record(adoptRights(sets), nowMs());
  adoptEntries(sets, index, history, nowMs());
  const owners = adoptOwners(sets);
  /** Whose policy was not known yet, or who has come since. */
  let unjudged = new Set(owners.keys());
  /** Whose flows are to be cut yet: the last attempt failed. */
  let uncut: ReadonlySet<IpAddress> = new Set();
  let judgedEpoch: string | undefined;
  let revocations = 0;

  function revoke(asker: IpAddress): void {
    revocations++;
    ledger.forget(asker);
    history.forget(asker);
    for (const [set, keys] of index.take(asker)) sets.del(setNames[set], keys);
  }

  function setOwner(asker: IpAddress, owner: Owner): void {
    const comment = owner.digest === undefined ? owner.sandbox : `${owner.sandbox} ${owner.digest}`;
    sets.add(ownerSet(asker), [{ key: { kind: "net", prefix: hostPrefix(asker) }, comment }]);
    owners.set(asker, owner);
  }

  /** By the policy of each network on which the source is the asker's. */
  function verdict(
    { source, destination, protocol, port }: PacketTuple,
    memberships: readonly Membership[],
  ): PacketDecision {
    const names = [...history.namesOf(source, destination)];
    return decideFrom(memberships, { source, destination, ipProtocol: protocol, port }, names, nowMs());
  }

  /** Those whose policy is another one, or was not known before, with its digest. */
  function otherPolicies(epoch: string, keyOf: PolicyView["keyOf"]): ReadonlyMap<IpAddress, Owner> {
    const found = new Map<IpAddress, Owner>();
    const candidates = epoch === judgedEpoch ? unjudged : new Set(owners.keys());
    judgedEpoch = epoch;
    unjudged = new Set();
    for (const asker of candidates) {
      const owner = owners.get(asker);
      if (owner === undefined) continue;
      const key = keyOf(asker);
      if (key === undefined) {
        unjudged.add(asker);
        continue;
      }
      const digest = digestOf([key]);
      if (digest !== owner.digest) found.set(asker, { ...owner, digest });
    }
    return found;
  }

  function narrow(asker: IpAddress, memberships: readonly Membership[]): void {
    revocations++;
    const mine = memberships.filter(({ addresses }) => addresses.includes(asker));
    ledger.narrow(asker, (destination, { domain, service }) =>
      // The right may have been another name's, too, that leads to the same address.
      [...new Set([domain, ...history.namesOf(asker, destination)])].flatMap((name) =>
        mine.flatMap(({ policy }) => {
          const decision = decideName(policy, name, nowMs());
          if (!decision.allowed) return [];
          const granted = servicesAt(policy, decision.terms, destination, nowMs());
          return intersectServices([service], granted).map((common) => ({ domain: name, service: common }));
        }),
      ),
    );
    const gone = index.takeUnless(asker, (set, key) => isHeldRightly(set, key, memberships));
    for (const [set, keys] of gone) take(set, keys);
  }

  /**
   * Takes entries out of the kernel. The ledger may have a right to them still, of a name that is not in the history any
   * more: then the next answer must tell the kernel of it anew.
   */
  function take(set: AskerSet, keys: readonly AskerKey[]): void {
    for (const { first: destination, second: asker, protocol, port } of keys)
      ledger.drop(asker, destination, { protocol, port });
    sets.del(setNames[set], keys);
  }

  function isHeldRightly(
    set: AskerSet,
    { first: destination, second: source, protocol, port }: AskerKey,
    memberships: readonly Membership[],
  ): boolean {
    if (set === "pair4" || set === "pair6") return ledger.isOpen(source, destination, nowMs());
    return verdict({ source, destination, protocol, port }, memberships).allowed;
  }

  /** One entry tells of its set: who flushes a set takes all. */
  function isAnySetEmptied(now: number): boolean {
    const untilMs = now + sampleMarginMs;
    const isAskedEmptied = families.some((family) => {
      const asked = ledger.findAsked(family, untilMs);
      if (asked === undefined) return false;
      return !sets.has(setNames[`ask${family}`], { kind: "net", prefix: hostPrefix(asked) });
    });
    if (isAskedEmptied) return true;
    return [...index.samples(untilMs)].some(([set, { key }]) => !sets.has(setNames[set], key));
  }

  const entries = { sets, index, nowMs, isAsked: (to: IpAddress) => ledger.isAsked(to, nowMs()) };

  return {
    admit(grants, networkOf) {
      const now = nowMs();
      const due = ledger.due(grants, now);
      if (ledger.exceedsLimit(due)) {
        const asker = due[0]?.asker ?? "";
        throw new DockerwallError(
          "KERNEL_REFUSED",
          `${asker} already holds ${pairsPerAsker} granted addresses; they run out by themselves`,
        );
      }
      const all = ledger.withEarlier(due, now);
      for (const { asker } of due) index.place(asker, networkOf(asker));
      admitEntries(entries, ledger.entriesFor(all, now));
      ledger.record(all, now);
      for (const { asker, destination, domain } of [...grants, ...all])
        history.note(asker, destination, domain, now);
      return ledger.firstEnd(grants);
    },

    get revocations() {
      return revocations;
    },

    judge(packet, memberships) {
      const { source, destination, protocol, port, setPort } = packet;
      const { allowed, by, name } = verdict(packet, memberships);
      if (!allowed) return false;
      const right = ledger.judge(source, destination, { protocol, port }, nowMs());
      if (name !== undefined && right === undefined) return false;
      const network = memberships.find(({ addresses }) => addresses.includes(source))?.networkId ?? "";
      index.place(source, network);
      if (isCrowded(entries, source, network)) return false;
      const lease = name === undefined ? addressLeaseSeconds : (right?.secondsLeft ?? 0);
      const ends =
        by?.endsAtMs === undefined ? leaseCeilingSeconds : Math.floor((by.endsAtMs - nowMs()) / 1000);
      const timeoutSeconds = Math.min(lease, leaseCeilingSeconds, ends);
      if (timeoutSeconds < 1) return false;
      const comment = readableDomain(name ?? destination);
      const place = { family: familyOf(destination), destination, asker: source, protocol, port: setPort };
      addEntry(entries, { ...place, set: "grant", timeoutSeconds, comment });
      return true;
    },

    verdict,

    secondsLeft: ({ source, destination, protocol, port }) =>
      ledger.judge(source, destination, { protocol, port }, nowMs())?.secondsLeft,

    namesOf: (asker, destination) => [...history.namesOf(asker, destination)],

    rejudge({ epoch, keyOf, membershipsOf }, cut) {
      const judged = otherPolicies(epoch, keyOf);
      // Who has just come has nothing yet that another policy could have allowed.
      const changed = [...judged.keys()].filter(
        (asker) => owners.get(asker)?.digest !== undefined || index.count(asker) > 0,
      );
      uncut = new Set([...uncut, ...changed]);
      try {
        for (const asker of changed) narrow(asker, membershipsOf(asker));
        if (uncut.size > 0) cut(uncut);
        for (const [asker, owner] of judged) setOwner(asker, owner);
      } catch (error) {
        // Nobody counts as judged: with the next picture, though it may be the same one, all of it is done again.
        judgedEpoch = undefined;
        throw error;
      }
      uncut = new Set();
    },

    takeLeft(rights, membershipsOf) {
      const left = rights.filter(({ set, key }) => !isHeldRightly(set, key, membershipsOf(key.second)));
      if (left.length > 0) revocations++;
      for (const [set, found] of Map.groupBy(left, ({ set }) => set))
        take(
          set,
          found.map(({ key }) => key),
        );
      for (const { set, key } of left) index.forget(set, key);
      return left.length;
    },

    heal() {
      const now = nowMs();
      if (!isAnySetEmptied(now)) return 0;
      const grants = ledger.live(now);
      admitEntries(entries, ledger.entriesFor(grants, now));
      return grants.length;
    },

    isOpen: (asker, destination) => ledger.isOpen(asker, destination, nowMs()),

    own(asker, sandbox) {
      if (owners.get(asker)?.sandbox === sandbox) return false;
      revoke(asker);
      setOwner(asker, { sandbox, digest: undefined });
      unjudged.add(asker);
      return true;
    },

    disown(asker, sandbox) {
      if (owners.get(asker)?.sandbox !== sandbox) return;
      revoke(asker);
      sets.del(ownerSet(asker), [{ kind: "net", prefix: hostPrefix(asker) }]);
      owners.delete(asker);
    },

    sweep() {
      ledger.sweep(nowMs());
      index.sweep(nowMs());
      history.sweep(nowMs());
    },
  };
}

function ownerSet(asker: IpAddress): string {
  return setNames[`owner${familyOf(asker)}`];
}

function adoptRights(sets: KernelSets): Grant[] {
  return [setNames.pair4, setNames.pair6].flatMap((name) =>
    sets.list(name).flatMap(({ key, timeoutSeconds, comment }): Grant[] => {
      const right = parseComment(comment ?? "");
      if (key.kind !== "ip-port-ip" || right === undefined || !timeoutSeconds) return [];
      return [{ ...right, asker: key.second, destination: key.first, leaseSeconds: timeoutSeconds }];
    }),
  );
}

function adoptEntries(sets: KernelSets, index: EntryIndex, history: NameHistory, nowMs: number): void {
  for (const set of ["grant4", "grant6", "pair4", "pair6"] as const) {
    for (const { key, timeoutSeconds, comment } of sets.list(setNames[set])) {
      if (key.kind !== "ip-port-ip") continue;
      index.note(set, key, nowMs + (timeoutSeconds ?? 0) * 1000);
      const name = parseComment(comment ?? "")?.domain ?? comment;
      if (name !== undefined) history.note(key.second, key.first, name, nowMs);
    }
  }
}

function adoptOwners(sets: KernelSets): Map<IpAddress, Owner> {
  const entries = [setNames.owner4, setNames.owner6].flatMap((name) => sets.list(name));
  return new Map(
    entries.flatMap(({ key, comment = "" }) => {
      const [sandbox = "", digest] = comment.split(" ");
      return key.kind === "net" ? [[key.prefix.address, { sandbox, digest }] as const] : [];
    }),
  );
}
