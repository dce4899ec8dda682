// What the kernel holds for a container and the addresses that it asks about: granted entries, and open connections.

import { connectionMark, setNames } from "../../../core/firewall/names.ts";
import { parseComment } from "../../../core/grants/comment.ts";
import { askerSets, isPairSet } from "../../../core/grants/entry-index.ts";
import { renderDenied } from "../../../core/journal/drops.ts";
import { type Family, familyOf, type IpAddress } from "../../../core/model/address.ts";
import type { ExplainReport } from "../../../core/model/report/explain.ts";
import { serviceCovers } from "../../../core/model/service.ts";
import { isSentTo, type SentPacket } from "../../../core/path/walk/leaving.ts";
import type { Flow } from "../../../edge/kernel/flows/flow-message.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../../edge/kernel/ipset/message.ts";

export interface InKernelSources {
  readonly sets: KernelSets;
  /** The tracked flows of a family. */
  readonly flows: (family: Family) => readonly Flow[];
}

/** Entries and flows between these. */
export interface Scope {
  readonly askers: ReadonlySet<IpAddress>;
  readonly destinations: ReadonlySet<string>;
  /** What is sent: what the kernel holds for other ports says nothing of it. */
  readonly sent: SentPacket;
}

type KernelEntry = ExplainReport["entries"][number];

/** A right to a range of ports may be several entries, which say the same: it is told once. */
export async function kernelEntries(
  scope: Scope,
  { sets }: Pick<InKernelSources, "sets">,
): Promise<readonly KernelEntry[]> {
  const found = new Map<string, KernelEntry>();
  for (const name of askerSets) {
    const set = isPairSet(name) ? "pair" : "grant";
    for await (const entries of sets.portions(setNames[name]))
      for (const listed of entries) {
        const entry = entryWithin(scope, set, listed);
        if (entry === undefined) continue;
        const { destination, service, comment, secondsLeft, packets } = entry;
        const id = [set, destination, service, comment].join(" ");
        const before = found.get(id) ?? { secondsLeft: 0, packets: 0 };
        found.set(id, {
          ...entry,
          secondsLeft: Math.max(before.secondsLeft, secondsLeft),
          packets: before.packets + packets,
        });
      }
  }
  return [...found.values()];
}

function entryWithin(
  { askers, destinations, sent }: Scope,
  set: KernelEntry["set"],
  { key, comment = "", timeoutSeconds = 0, packets = 0 }: ListedEntry,
): KernelEntry | undefined {
  if (key.kind !== "ip-port-ip" || !askers.has(key.second) || !destinations.has(key.first)) return undefined;
  if (!(set === "pair" ? isRightTo(comment, sent) : isSentTo(sent, key))) return undefined;
  const service = set === "pair" ? (comment.split(" ")[0] ?? "") : renderDenied(key.protocol, key.port);
  return { set, destination: key.first, service, comment, secondsLeft: timeoutSeconds, packets };
}

/** Whether a right to many ports, by its comment, is one to what is sent. */
function isRightTo(comment: string, { ipProtocol, port }: SentPacket): boolean {
  const { service } = parseComment(comment) ?? {};
  return port === undefined || service === undefined || serviceCovers(service, ipProtocol, port);
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
