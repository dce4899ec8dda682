// What a proposed policy would have done with past traffic.

import { renderDenied } from "../journal/drops.ts";
import type { ReplayedRow } from "../model/report.ts";
import { answersBy, type Inside, type LabelView } from "./label-view.ts";
import {
  type Doer,
  noQueryAdvice,
  type Observation,
  type SeenConnection,
  type SeenLookup,
} from "./observed.ts";

export interface ProposedPolicy {
  readonly inside: Inside;
  readonly nowMs: number;
  /** What the proposed label says of a container, with the lists that stay. */
  readonly onNetwork: (container: Doer | undefined) => LabelView;
  /** What its other guarded networks say. */
  readonly elsewhere: (container: Doer | undefined) => readonly LabelView[];
}

/** Every lookup and connection, with both verdicts; those that change first. */
export function replay({ lookups, connections }: Observation, policy: ProposedPolicy): ReplayedRow[] {
  const views = new Map<string | undefined, { here: LabelView; all: readonly LabelView[] }>();
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
        ...afterLookup(lookup, viewsOf(container).all, policy),
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

function afterLookup(
  lookup: SeenLookup,
  views: readonly LabelView[],
  { inside, nowMs }: ProposedPolicy,
): After {
  const { type = "", trouble } = lookup;
  if (trouble === "no-query") return { after: false, why: noQueryAdvice };
  switch (answersBy(views, lookup, inside, nowMs)) {
    case "answered":
      return { after: true };
    case "denied":
      return { after: false };
    case "not-served":
      return {
        after: false,
        why: `${type} is served for a name that is written out, or that dockerwall.types names`,
      };
    case "refused":
      return { after: false, why: needsMention(lookup.domain, lookup.addresses, inside) };
  }
}

function afterConnection(connection: SeenConnection, view: LabelView): After {
  if (view.allows(connection)) return { after: true };
  const { destination, names } = connection;
  const allowed = names.filter((name) => view.servicesOf(name).length > 0);
  const [first] = allowed;
  const isOnlyInside = view.isInside(destination) && !allowed.some((name) => view.leadsTo(name, destination));
  const why =
    view.whyNever(connection) ??
    (isOnlyInside && first !== undefined ? needsMention(first, [destination], view) : undefined);
  return why === undefined ? { after: false } : { after: false, why };
}

function needsMention(
  name: string,
  addresses: readonly string[],
  { isHost }: Pick<Inside, "isHost">,
): string {
  const [address = ""] = addresses;
  return isHost(address as SeenConnection["destination"])
    ? "the name leads to the host: write host:PORT/tcp beside it"
    : `the name leads inside: write ${name}@${address}, with the same ports`;
}
