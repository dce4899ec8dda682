// What a proposed policy would have done with past traffic.

import type { IpAddress } from "../model/address.ts";
import type { ReplayedRow } from "../model/report.ts";
import type { PacketDecision, PacketTarget } from "../policy/decide.ts";
import { renderDenied } from "./drops.ts";
import type { Observation } from "./observed.ts";

export interface ProposedPolicy {
  readonly allowsName: (asker: string, name: string) => boolean;
  readonly judge: (asker: IpAddress, packet: PacketTarget, names: readonly string[]) => PacketDecision;
}

/** Every lookup and connection, with both verdicts; those that change first. */
export function replay({ lookups, connections }: Observation, policy: ProposedPolicy): ReplayedRow[] {
  const rows: ReplayedRow[] = [
    ...lookups.map(({ asker, container, domain, allowed, count }) => ({
      kind: "lookup" as const,
      address: asker,
      container,
      what: domain,
      before: allowed,
      after: policy.allowsName(asker, domain),
      count,
    })),
    ...connections.map(({ asker, container, destination, ipProtocol, port, names, allowed, packets }) => ({
      kind: "connection" as const,
      address: asker,
      container,
      what: `${destination} ${renderDenied(ipProtocol, port ?? 0)}${names.length === 0 ? "" : ` (${names.join(", ")})`}`,
      before: allowed,
      after: policy.judge(asker, { destination, ipProtocol, port }, names).allowed,
      count: packets,
    })),
  ];
  return rows.toSorted((a, b) => Number(a.before === a.after) - Number(b.before === b.after));
}
