// What the kernel holds for a container and the addresses that it asks about: granted entries, and open connections.

import { connectionMark, setNames } from "../../../core/firewall/names.ts";
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

export function kernelEntries(
  { askers, destinations }: Scope,
  { sets }: InKernelSources,
): ExplainReport["entries"] {
  const names = {
    grant: [setNames.grant4, setNames.grant6],
    pair: [setNames.pair4, setNames.pair6],
  } as const;
  return (["grant", "pair"] as const).flatMap((set) =>
    names[set].flatMap((name) =>
      sets.list(name).flatMap(({ key, comment = "", timeoutSeconds = 0, packets = 0 }) => {
        if (key.kind !== "ip-port-ip" || !askers.has(key.second) || !destinations.has(key.first)) return [];
        const service = set === "pair" ? (comment.split(" ")[0] ?? "") : renderDenied(key.protocol, key.port);
        return [{ set, destination: key.first, service, comment, secondsLeft: timeoutSeconds, packets }];
      }),
    ),
  );
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
