// The kernel's counters of denied connections: read less often the longer a reading takes, and trimmed to keep it short.

import { setNames } from "../core/firewall/names.ts";
import { type DeniedLimits, planTrim } from "../core/journal/denied-shares.ts";
import { createDropAges } from "../core/journal/drop-ages.ts";
import type { DatedEntry, DeniedEntry } from "../core/journal/drops.ts";
import { familyOf, type IpAddress } from "../core/model/address.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";

export interface DeniedReading {
  /** The denied connections, and when each was last tried; may be a moment old. */
  read(nowMs: number): readonly DatedEntry[];
  /** Names of sets with more entries than we read at once; some denied connections may go unreported. */
  full(): readonly string[];
}

/** Reading 32,768 entries takes a third of a second. */
const limits: DeniedLimits = { perAsker: 1_024, perNetwork: 8_192, inAll: 32_768 };
/** For each family. The rest is read after the entries already read have been trimmed. */
const readAtOnce = 65_536;
/** The next reading waits for this many times the duration of the last one. */
const restFactor = 10;

export function createDeniedReading(
  sets: KernelSets,
  networkOf: (asker: IpAddress) => string,
  clockMs: () => number = () => performance.now(),
): DeniedReading {
  const ages = createDropAges();
  let known: readonly DatedEntry[] = [];
  let full: readonly string[] = [];
  let restsUntilMs = Number.NEGATIVE_INFINITY;

  return {
    read(nowMs) {
      const fromMs = clockMs();
      if (fromMs < restsUntilMs) return known;
      const found = [setNames.denied4, setNames.denied6].map((name) => ({
        name,
        entries: sets.list(name, readAtOnce),
      }));
      full = found.flatMap(({ name, entries }) => (entries.length >= readAtOnce ? [name] : []));
      const dated = ages.observe(
        found.flatMap(({ entries }) => entries.flatMap(deniedEntry)),
        nowMs,
      );
      const excess = new Set(planTrim(dated, networkOf, limits));
      for (const [family, group] of Map.groupBy(excess, ({ asker }) => familyOf(asker)))
        sets.del(setNames[`denied${family}`], group.map(keyOf));
      known = dated.filter((entry) => !excess.has(entry));
      const endMs = clockMs();
      restsUntilMs = endMs + (endMs - fromMs) * restFactor;
      return known;
    },
    full: () => full,
  };
}

function keyOf({ asker, protocol, port, destination }: DatedEntry) {
  return { kind: "ip-port-ip", first: asker, protocol, port, second: destination } as const;
}

function deniedEntry({ key, packets, bytes }: ReturnType<KernelSets["list"]>[number]): DeniedEntry[] {
  if (key.kind !== "ip-port-ip") return [];
  const { first, second, protocol, port } = key;
  return [{ asker: first, destination: second, protocol, port, packets: packets ?? 0, bytes: bytes ?? 0 }];
}
