// What the kernel holds for a container and the addresses that it asks about: granted entries, and open connections.

import { connectionMark, setNames } from "../../../core/firewall/names.ts";
import { askerSets, isPairSet } from "../../../core/grants/entry-index.ts";
import { renderDenied } from "../../../core/journal/drops.ts";
import { type Family, familyOf, type IpAddress } from "../../../core/model/address.ts";
import type { ExplainReport } from "../../../core/model/report.ts";
import type { Flow } from "../../../edge/kernel/flows/flow-message.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";

export interface InKernelSources {
  readonly sets: KernelSets;
  /** The tracked flows of a family. */
  readonly flows: (family: Family) => readonly Flow[];
}

/** Entries and flows between these. */
export interface Scope {
  readonly askers: ReadonlySet<IpAddress>;
  readonly destinations: ReadonlySet<string>;
}

export async function kernelEntries(
  { askers, destinations }: Scope,
  { sets }: Pick<InKernelSources, "sets">,
): Promise<ExplainReport["entries"]> {
  const found: ExplainReport["entries"][number][] = [];
  for (const name of askerSets) {
    const set = isPairSet(name) ? "pair" : "grant";
    for await (const entries of sets.portions(setNames[name]))
      for (const { key, comment = "", timeoutSeconds = 0, packets = 0 } of entries) {
        if (key.kind !== "ip-port-ip" || !askers.has(key.second) || !destinations.has(key.first)) continue;
        const service = set === "pair" ? (comment.split(" ")[0] ?? "") : renderDenied(key.protocol, key.port);
        found.push({ set, destination: key.first, service, comment, secondsLeft: timeoutSeconds, packets });
      }
  }
  return found;
}

export function openFlows({ askers, destinations }: Scope, sources: InKernelSources): ExplainReport["flows"] {
  const families = new Set([...askers].map(familyOf));
  return [...families].flatMap((family) =>
    sources.flows(family).flatMap(({ original, reply, mark }) => {
      if (!askers.has(original.source) || !destinations.has(reply.source)) return [];
      return [
        {
          service: renderDenied(reply.ipProtocol, reply.sourcePort),
          sourcePort: original.sourcePort,
          destination: reply.source,
          admitted: (mark & connectionMark.mask) === connectionMark.admitted,
        },
      ];
    }),
  );
}
