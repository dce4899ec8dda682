// The control plane's part of `suggest`: who is on the network, what each of them has done, and what their labels lack.

import { type DataRead, fields, flag, optional, text } from "../../core/api/request-checks.ts";
import { placeOfLabel } from "../../core/classify/gather.ts";
import type { ClassifiedNetwork } from "../../core/classify/networks.ts";
import { allowLabel, labelName } from "../../core/labels/table.ts";
import { composeLabels } from "../../core/model/compose-labels.ts";
import type { SuggestReport } from "../../core/model/report/suggest.ts";
import { type Container, shortId } from "../../core/model/topology.ts";
import { compileList } from "../../core/policy/entry-list.ts";
import { type Inside, labelView } from "../../core/suggest/label-view.ts";
import { lastingLists, listsOf, takenBy } from "../../core/suggest/lists.ts";
import type { LeftOut } from "../../core/suggest/needs/left-out.ts";
import type { Doer, Observation } from "../../core/suggest/observed.ts";
import { type Subject, shareOut } from "../../core/suggest/share-out.ts";
import { suggest as suggestEntries } from "../../core/suggest/suggest.ts";
import { tellUnread } from "../../core/suggest/unread.ts";
import { unusedEntries } from "../../core/suggest/usage.ts";
import { epochMs } from "../../edge/kernel/monotonic.ts";
import type { History } from "../history/history.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import { type HostSources, insideNow, thisHost } from "./context/host-now.ts";
import { findNetwork, type InForce } from "./context/in-force.ts";
import { type ObservationSources, readObservation } from "./context/observation.ts";
import { route } from "./context/route.ts";

export interface SuggestionSources extends ObservationSources, HostSources {
  readonly history: ObservationSources["history"] & Pick<History, "isGone" | "sinceMs">;
}

/** Who has needs of its own: a container, or all containers of one Compose service. */
interface Group {
  readonly name: string;
  readonly isService: boolean;
  /** One of them, if it is there. */
  readonly container: Container | undefined;
}

const suggestRequest = fields({
  network: text,
  /** Whether a wildcard may stand for four names or more. */
  wildcards: optional(flag),
  /** Whether containers that are gone count too. */
  gone: optional(flag),
});

export const suggest = route(suggestRequest, (parts) => async (request) => {
  const { sets, history } = parts;
  await planeOf(parts).flush();
  return suggestFor(request, inForceOf(parts), { sets, history, ...thisHost });
});

/** @throws DockerwallError NOT_FOUND */
export async function suggestFor(
  { network: name, wildcards = false, gone = false }: DataRead<typeof suggestRequest>,
  inForce: InForce,
  sources: SuggestionSources,
): Promise<SuggestReport> {
  const network = findNetwork(name, inForce);
  const { topology, classification } = inForce;
  const seen = await readObservation(network, classification.guarded, sources);
  const inside = insideNow(inForce, sources);
  const groups = groupsOn(network, inForce);
  const { byGroup, leftOut } = divide(seen, groups, gone ? () => false : sources.history.isGone);
  const subjects = [...byGroup].map(([group, own]) =>
    subjectOf(group, own, { network, inForce, inside, wildcards }),
  );
  const shared = shareOut(subjects);
  const labels = topology.networks.find(({ id }) => id === network.id)?.labels ?? {};
  const label = network.lists.find(
    ({ source }) => source === placeOfLabel({ kind: "network", name: network.name }),
  );
  const suggestions = subjects.map(({ suggestion }) => suggestion);
  return {
    network: network.name,
    composeKey: labels[composeLabels.network],
    mode: network.labels.mode,
    sinceMs: epochMs(sources.history.sinceMs(network.id)),
    present: labels[allowLabel] ?? "",
    added: shared.network,
    containers: shared.subjects.map(({ subject: { name, isService, present }, added }) => ({
      name,
      isService,
      present,
      added,
    })),
    types: {
      present: labels[labelName("types")] ?? "",
      added: unique(suggestions.flatMap(({ types }) => types)),
    },
    notes: [
      ...network.lists.flatMap(({ source, unread, closes }) =>
        source === "policy file" && closes === true
          ? [`${unread}; nothing is allowed until you correct that`]
          : [],
      ),
      ...tellUnread({ kind: "network", name: network.name, labels }, inForce.presets),
      ...unique(
        [...byGroup.keys()].flatMap(({ container }) =>
          container === undefined ? [] : tellUnread({ kind: "container", ...container }, inForce.presets),
        ),
      ),
      ...unique(suggestions.flatMap(({ notes }) => notes)),
    ],
    leftOut: distinct([...leftOut, ...suggestions.flatMap((suggestion) => suggestion.leftOut)]),
    unused: label === undefined ? [] : unusedEntries(compileList(label), label.entries, seen),
  };
}

/** Who is on the network, by id. */
function groupsOn({ id }: ClassifiedNetwork, { topology }: InForce): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  const on = topology.containers.filter(({ endpoints }) =>
    endpoints.some(({ networkId }) => networkId === id),
  );
  const byContainer = on.map((container) => {
    const service = container.labels[composeLabels.service];
    const name = service ?? container.name;
    const key = `${container.labels[composeLabels.project]} ${service} ${name}`;
    const group = groups.get(key) ?? { name, isService: service !== undefined, container };
    groups.set(key, group);
    return [shortId(container.id), group] as const;
  });
  return new Map(byContainer);
}

/** What each group has done; those who have done nothing are groups, too. */
function divide(
  { lookups, connections }: Observation,
  groups: ReadonlyMap<string, Group>,
  isGone: (containerId: string) => boolean,
): { readonly byGroup: ReadonlyMap<Group, Observation>; readonly leftOut: readonly LeftOut[] } {
  const gone = new Map<string, Group>();
  const out = new Set<string>();
  const groupOf = ({ container }: { readonly container: Doer | undefined }): Group | undefined => {
    const found = groups.get(container?.id ?? "");
    if (found !== undefined) return found;
    if (container === undefined || isGone(container.id)) {
      out.add(container?.name ?? "");
      return undefined;
    }
    const { name } = container;
    const same = [...groups.values()].find((group) => !group.isService && group.name === name);
    const group = same ?? gone.get(name) ?? { name, isService: false, container: undefined };
    if (same === undefined) gone.set(name, group);
    return group;
  };
  const ofLookups = Map.groupBy(lookups, groupOf);
  const ofConnections = Map.groupBy(connections, groupOf);
  const all = new Set([...groups.values(), ...gone.values()]);
  const byGroup = [...all]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((group) => {
      return [
        group,
        { lookups: ofLookups.get(group) ?? [], connections: ofConnections.get(group) ?? [] },
      ] as const;
    });
  const leftOut = [...out]
    .toSorted()
    .map((name) =>
      name === ""
        ? { what: "containers that were never known", why: "they came and went too fast" }
        : { what: `container ${name}`, why: "it is gone; --gone includes it" },
    );
  return { byGroup: new Map(byGroup), leftOut };
}

function subjectOf(
  { name, isService, container }: Group,
  seen: Observation,
  {
    network,
    inForce,
    inside,
    wildcards,
  }: {
    readonly network: ClassifiedNetwork;
    readonly inForce: InForce;
    readonly inside: Inside;
    readonly wildcards: boolean;
  },
): Subject {
  const { uptimeMs } = inForce;
  // What one says that closes everything is not known: what is needed beside it is told, and that it cannot be read.
  const lists = listsOf(network, container?.id, inForce.classification).filter(
    ({ closes }) => closes !== true,
  );
  const lasting = lastingLists(lists, network.name, container?.name ?? name);
  const context = {
    ...labelView(network, lasting, inside, uptimeMs),
    takenBy: takenBy({ network: network.name, lists: lists.map(compileList) }, uptimeMs),
  };
  return {
    name,
    isService,
    present: container?.labels[allowLabel] ?? "",
    suggestion: suggestEntries(seen, context, { wildcards }),
  };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted();
}

function distinct(rows: readonly LeftOut[]): LeftOut[] {
  return [...new Map(rows.map((row) => [`${row.what}\n${row.why}`, row])).values()];
}
