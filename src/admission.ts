// Puts grants into the kernel and remembers them. When admit() returns, a packet of the asker passes; when it
// throws, nothing was opened that the ledger does not know.

import type { Membership } from "./dns/asker.ts";
import { EntryIndex } from "./dns/entry-index.ts";
import { type Grant, GrantLedger, leaseCeilingSeconds, parseComment } from "./dns/grant.ts";
import { DockerwallError } from "./errors.ts";
import { setNames } from "./firewall/names.ts";
import { addEntry, admitEntries, isCrowded } from "./grant-entries.ts";
import type { KernelSets } from "./io/ipset.ts";
import { familyOf, hostPrefix, type IpAddress } from "./model/address.ts";
import { decideAddress } from "./policy/decide.ts";

export interface Packet {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
  /** What the kernel's sets take for the port: the port, type * 256 + code for ICMP, else 0. */
  readonly setPort: number;
}

export interface Admission {
  /** @throws DockerwallError when the kernel refuses or the asker holds too much; nothing may be answered then. */
  admit(grants: readonly Grant[], networkOf: (asker: IpAddress) => string): void;
  /** Whether a first packet may pass; the entry that lets it and its like pass is in the kernel on return. */
  judge(packet: Packet, memberships: readonly Membership[]): boolean;
  /** True when the asker holds a live right to this address, for whatever service. */
  isOpen(asker: IpAddress, destination: IpAddress): boolean;
  /**
   * Says whose an address is. What another sandbox was granted at it, in this run or an earlier one, is taken away.
   * @returns true when it has changed hands: its open flows are the earlier holder's, too
   */
  own(asker: IpAddress, sandbox: string): boolean;
  /** Takes away what this sandbox was granted at the address; nothing when it is another's by now. */
  disown(asker: IpAddress, sandbox: string): void;
  /** Forgets what has run out. */
  sweep(): void;
}

/** Live (asker, destination) pairs of one asker. */
const pairsPerAsker = 8192;

/** How long a flow right under an address entry of the allowlist stands before the kernel asks again, seconds. */
const addressLeaseSeconds = 3600;

/** Takes over what an earlier run left in the kernel. */
export function startAdmission(options: {
  readonly sets: KernelSets;
  readonly nowMs: () => number;
}): Admission {
  const { sets, nowMs } = options;
  const ledger = new GrantLedger({ pairsPerAsker });
  const index = new EntryIndex();
  ledger.record(adoptRights(sets), nowMs());
  adoptEntries(sets, index, nowMs());
  const owners = new Map(
    [setNames.owner4, setNames.owner6].flatMap((name) =>
      sets
        .list(name)
        .flatMap(({ key, comment }) =>
          key.kind === "net" ? [[key.prefix.address, comment ?? ""] as const] : [],
        ),
    ),
  );

  function revoke(asker: IpAddress): void {
    ledger.forget(asker);
    for (const [set, keys] of index.take(asker)) sets.del(setNames[set], keys);
  }

  const entries = { sets, index, nowMs, isAsked: (to: IpAddress) => ledger.isAsked(to, nowMs()) };

  return {
    admit(grants, networkOf) {
      if (ledger.exceedsLimit(grants)) {
        const asker = grants[0]?.asker ?? "";
        throw new DockerwallError(
          "KERNEL_REFUSED",
          `${asker} already holds ${pairsPerAsker} granted addresses; they run out by themselves`,
        );
      }
      const now = nowMs();
      const all = ledger.withEarlier(grants, now);
      for (const { asker } of grants) index.place(asker, networkOf(asker));
      admitEntries(entries, ledger.entriesFor(all, now));
      ledger.record(all, now);
    },

    judge({ source, destination, protocol, port, setPort }, memberships) {
      const right = ledger.judge(source, destination, { protocol, port }, nowMs());
      const named = memberships.some(
        ({ addresses, policy }) =>
          addresses.includes(source) && decideAddress(policy, destination, protocol, port),
      );
      if (right === undefined && !named) return false;
      const network = memberships.find(({ addresses }) => addresses.includes(source))?.networkId ?? "";
      index.place(source, network);
      if (isCrowded(entries, source, network)) return false;
      const timeoutSeconds = Math.min(
        named ? addressLeaseSeconds : (right?.secondsLeft ?? 0),
        leaseCeilingSeconds,
      );
      const comment = right?.domain ?? destination;
      const place = { family: familyOf(destination), destination, asker: source, protocol, port: setPort };
      addEntry(entries, { ...place, set: "grant", timeoutSeconds, comment });
      return true;
    },

    isOpen: (asker, destination) => ledger.isOpen(asker, destination, nowMs()),

    own(asker, sandbox) {
      if (owners.get(asker) === sandbox) return false;
      revoke(asker);
      sets.add(ownerSet(asker), [{ key: { kind: "net", prefix: hostPrefix(asker) }, comment: sandbox }]);
      owners.set(asker, sandbox);
      return true;
    },

    disown(asker, sandbox) {
      if (owners.get(asker) !== sandbox) return;
      revoke(asker);
      sets.del(ownerSet(asker), [{ kind: "net", prefix: hostPrefix(asker) }]);
      owners.delete(asker);
    },

    sweep() {
      ledger.sweep(nowMs());
      index.sweep(nowMs());
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

function adoptEntries(sets: KernelSets, index: EntryIndex, nowMs: number): void {
  for (const set of ["grant4", "grant6", "pair4", "pair6"] as const) {
    for (const { key, timeoutSeconds } of sets.list(setNames[set])) {
      if (key.kind === "ip-port-ip") index.note(set, key, nowMs + (timeoutSeconds ?? 0) * 1000);
    }
  }
}
