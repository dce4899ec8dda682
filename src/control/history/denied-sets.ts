// The kernel's sets of denied connections, one of each family.

import { setNames } from "../../core/firewall/names.ts";
import { deniedSeconds } from "../../core/firewall/sets.ts";
import type { DeniedWrite, ListedDenied } from "../../core/journal/denied-accounts.ts";
import type { DeniedEntry } from "../../core/journal/denied-record.ts";
import { familyOf } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../../edge/kernel/ipset/message.ts";

/** For each family. The rest is read after the entries already read have been trimmed. */
const readAtOnce = 65_536;

export class DeniedSets {
  readonly #sets: KernelSets;
  #full: readonly string[] = [];

  constructor(sets: KernelSets) {
    this.#sets = sets;
  }

  /** Names of the sets that had more entries than are read at once, when they were last read. */
  get full(): readonly string[] {
    return this.#full;
  }

  read(): ListedDenied[] {
    const found = [setNames.denied4, setNames.denied6].map((name) => ({
      name,
      entries: this.#sets.list(name, readAtOnce),
    }));
    this.#full = found.flatMap(({ name, entries }) => (entries.length >= readAtOnce ? [name] : []));
    return found.flatMap(({ entries }) => entries.flatMap(deniedEntry));
  }

  /** Replaces comments and timeouts; the counts stay. */
  write(writes: readonly DeniedWrite[]): void {
    for (const [family, group] of Map.groupBy(writes, ({ entry }) => familyOf(entry.asker))) {
      const entries = group.map(({ entry, comment, seconds }) => ({
        key: keyOf(entry),
        comment,
        timeoutSeconds: seconds,
      }));
      this.#sets.add(setNames[`denied${family}`], entries);
    }
  }

  remove(entries: Iterable<DeniedEntry>): void {
    for (const [family, group] of Map.groupBy(entries, ({ asker }) => familyOf(asker)))
      this.#sets.del(setNames[`denied${family}`], group.map(keyOf));
  }
}

function keyOf({ asker, protocol, port, destination }: DeniedEntry): SetKey {
  return { kind: "ip-port-ip", first: asker, protocol, port, second: destination };
}

function deniedEntry({
  key,
  packets = 0,
  bytes = 0,
  timeoutSeconds = deniedSeconds,
  comment,
}: ReturnType<KernelSets["list"]>[number]): ListedDenied[] {
  if (key.kind !== "ip-port-ip") return [];
  const { first, second, protocol, port } = key;
  const counted = { asker: first, destination: second, protocol, port, packets, bytes };
  return [{ ...counted, secondsLeft: timeoutSeconds, comment }];
}
