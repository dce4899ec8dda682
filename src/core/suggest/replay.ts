// What a proposed policy would have done with past traffic.

import { renderDenied } from "../journal/drops.ts";
import type { ReplayedRow } from "../model/report.ts";
import type { NeedsContext } from "./needs.ts";
import type { Doer, Observation, SeenConnection, SeenLookup } from "./observed.ts";

export type ProposedView = Omit<NeedsContext, "takenBy">;

export interface ProposedPolicy {
  /** What the proposed label says of a container, with the lists that stay. */
  readonly onNetwork: (container: Doer | undefined) => ProposedView;
  /** What its other guarded networks say. */
  readonly elsewhere: (container: Doer | undefined) => readonly ProposedView[];
}

/** Every lookup and connection, with both verdicts; those that change first. */
export function replay({ lookups, connections }: Observation, policy: ProposedPolicy): ReplayedRow[] {
  const views = new Map<string | undefined, { here: ProposedView; all: readonly ProposedView[] }>();
  const viewsOf = (container: Doer | undefined) => {
    const known = views.get(container?.id);
    if (known !== undefined) return known;
    const here = policy.onNetwork(container);
    const view = { here, all: [here, ...policy.elsewhere(container)] };
    views.set(container?.id, view);
    return view;
  };
  const rows: ReplayedRow[] = [
    ...lookups.map((lookup) => {
      const { asker, container, domain, type, allowed, trouble, count } = lookup;
      return {
        kind: "lookup" as const,
        address: asker,
        container: container?.name,
        what: type === undefined ? domain : `${domain} ${type}`,
        before: allowed && trouble !== "private" && trouble !== "type",
        ...afterLookup(lookup, viewsOf(container).all),
        count,
      };
    }),
    ...connections.map((connection) => {
      const { asker, container, destination, ipProtocol, port, names, allowed, packets } = connection;
      return {
        kind: "connection" as const,
        address: asker,
        container: container?.name,
        what: `${destination} ${renderDenied(ipProtocol, port ?? 0)}${names.length === 0 ? "" : ` (${names.join(", ")})`}`,
        before: allowed,
        ...afterConnection(connection, viewsOf(container).here),
        count: packets,
      };
    }),
  ];
  return rows.toSorted((a, b) => Number(a.before === a.after) - Number(b.before === b.after));
}

type After = Pick<ReplayedRow, "after" | "why">;

function afterLookup({ domain, type, refused }: SeenLookup, views: readonly ProposedView[]): After {
  const allowing = views.filter(({ servicesOf }) => servicesOf(domain).length > 0);
  if (allowing.length === 0) return { after: false };
  if (type !== undefined && !allowing.some(({ servesType }) => servesType(domain, type)))
    return {
      after: false,
      why: `${type} is served for a name that is written out, or that dockerwall.types names`,
    };
  const leads = refused.some((address) => views.some((view) => view.leadsTo(domain, address)));
  if (refused.length === 0 || leads) return { after: true };
  return { after: false, why: needsMention(refused, views) };
}

function afterConnection(connection: SeenConnection, view: ProposedView): After {
  if (view.allows(connection)) return { after: true };
  const { destination, names } = connection;
  const isOnlyInside =
    view.isInside(destination) &&
    names.some((name) => view.servicesOf(name).length > 0) &&
    !names.some((name) => view.leadsTo(name, destination));
  return isOnlyInside ? { after: false, why: needsMention([destination], [view]) } : { after: false };
}

function needsMention(addresses: readonly string[], views: readonly ProposedView[]): string {
  const [address = ""] = addresses;
  const isHost = views.some((view) => view.isHost(address as SeenConnection["destination"]));
  return isHost
    ? "the name leads to the host: write host:PORT/tcp beside it"
    : `the name leads inside: write ${address} beside it, with the same ports`;
}
