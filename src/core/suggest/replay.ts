// What a proposed policy would have done with past traffic.

import { renderDenied } from "../journal/drops.ts";
import type { ReplayedRow } from "../model/report/replay.ts";
import { answersBy, type Inside, type LabelView } from "./label-view.ts";
import {
  type Doer,
  noQueryAdvice,
  type Observation,
  type SeenConnection,
  type SeenLookup,
} from "./observed.ts";

/** What lists say of containers. */
export interface ListViews {
  readonly onNetwork: (container: Doer | undefined) => LabelView;
  /** On its other guarded networks. */
  readonly elsewhere: (container: Doer | undefined) => readonly LabelView[];
}

export interface ProposedPolicy {
  readonly inside: Inside;
  readonly nowMs: number;
  /** The labels to try, with the lists that stay. */
  readonly tried: ListViews;
  /** The lists in force. */
  readonly present: ListViews;
  /** By the first digits of its id. */
  readonly isGone: (containerId: string) => boolean;
}

/** Every lookup and connection, as it was judged, as it would be now, and by the labels to try; what these change first. */
export function replay({ lookups, connections }: Observation, policy: ProposedPolicy): ReplayedRow[] {
  const tried = remembered(policy.tried);
  const present = remembered(policy.present);
  const doerOf = (container: Doer | undefined): Pick<ReplayedRow, "container" | "gone"> => ({
    container: container?.name,
    ...(container !== undefined && policy.isGone(container.id) ? { gone: true } : {}),
  });
  const rows: ReplayedRow[] = [
    ...lookups.map((lookup) => {
      const { asker, container, domain, type, allowed, trouble, count } = lookup;
      return {
        kind: "lookup" as const,
        address: asker,
        ...doerOf(container),
        what: type === undefined ? domain : `${domain} ${type}`,
        before: allowed && trouble !== "private" && trouble !== "type",
        now: afterLookup(lookup, present(container).all, policy).after,
        ...afterLookup(lookup, tried(container).all, policy),
        count,
      };
    }),
    ...connections.map((connection) => {
      const { asker, container, destination, ipProtocol, port, names, allowed, packets } = connection;
      return {
        kind: "connection" as const,
        address: asker,
        ...doerOf(container),
        what: `${destination} ${renderDenied(ipProtocol, port ?? 0)}${names.length === 0 ? "" : ` (${names.join(", ")})`}`,
        before: allowed,
        now: afterConnection(connection, present(container).here).after,
        ...afterConnection(connection, tried(container).here),
        count: packets,
      };
    }),
  ];
  const order = ({ before, now, after }: ReplayedRow): number => (now !== after ? 0 : before !== now ? 1 : 2);
  return rows.toSorted((a, b) => order(a) - order(b));
}

interface Views {
  readonly here: LabelView;
  readonly all: readonly LabelView[];
}

/** Each container's views are made once. */
function remembered({ onNetwork, elsewhere }: ListViews): (container: Doer | undefined) => Views {
  const known = new Map<string | undefined, Views>();
  return (container) => {
    const found = known.get(container?.id);
    if (found !== undefined) return found;
    const here = onNetwork(container);
    const views = { here, all: [here, ...elsewhere(container)] };
    known.set(container?.id, views);
    return views;
  };
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
