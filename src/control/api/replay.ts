// The control plane's part of `replay`: judges past traffic by labels that are not in force.

import { type DataRead, fields, optional, text, texts } from "../../core/api/request-checks.ts";
import { networkHolder } from "../../core/classify/containers/holder.ts";
import { placeOfLabel } from "../../core/classify/gather.ts";
import type { ClassifiedNetwork } from "../../core/classify/networks.ts";
import type { LabelPlace } from "../../core/labels/table.ts";
import type { ServicePolicy } from "../../core/model/guarded-network.ts";
import type { ReplayedRow, ReplayReport } from "../../core/model/report/replay.ts";
import { type Container, shortId } from "../../core/model/topology.ts";
import { requireEntries } from "../../core/policy/allowlist.ts";
import { digestOf } from "../../core/policy/digest.ts";
import type { EntryList } from "../../core/policy/entry-list.ts";
import { describeEntry, type Presets } from "../../core/policy/preset.ts";
import { warnOfPublicSuffixes } from "../../core/policy/public-suffix.ts";
import { type LabelView, labelView } from "../../core/suggest/label-view.ts";
import { listsOf } from "../../core/suggest/lists.ts";
import type { Doer } from "../../core/suggest/observed.ts";
import { standInFinder } from "../../core/suggest/replay/stand-ins.ts";
import { replay as judgeAnew, type ListViews } from "../../core/suggest/replay.ts";
import { epochMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError } from "../../errors.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import { findContainers } from "./context/find-container.ts";
import { insideNow, thisHost } from "./context/host-now.ts";
import { findNetwork, type InForce } from "./context/in-force.ts";
import { readObservation } from "./context/observation.ts";
import { route } from "./context/route.ts";
import type { SuggestionSources } from "./suggest.ts";

/** Of lists that are not in force. */
const proposedId = -1;
/** How many names a sentence lists. */
const mostListed = 8;

const replayRequest = fields({
  network: text,
  /** The network's label as it might be; undefined for the one that it has. */
  allow: optional(text),
  /** `CONTAINER=ENTRIES`: the labels of its containers as they might be. */
  own: optional(texts),
});

export const replay = route(replayRequest, (parts) => async (request) => {
  const { sets, history } = parts;
  await planeOf(parts).flush();
  return replayOn(request, inForceOf(parts), { sets, history, ...thisHost });
});

/** @throws DockerwallError BAD_ENTRY, NOT_FOUND, USAGE */
export async function replayOn(
  { network: name, allow, own = [] }: DataRead<typeof replayRequest>,
  inForce: InForce,
  sources: SuggestionSources,
): Promise<ReplayReport> {
  const network = findNetwork(name, inForce);
  const { classification, topology, presets, uptimeMs } = inForce;
  const proposed = allow === undefined ? undefined : readProposal("--allow", allow, presets);
  const containers = own.map((text) => readOwn(text, network, inForce));
  assertOneLabelEach(containers);
  const changed = { ...network, lists: withProposal(network.lists, "network", network.name, proposed) };
  const present = classification.containers.services;
  const tried = withOwn(present, containers);
  const inside = insideNow(inForce, sources);
  const { isGone } = sources.history;
  const standInOf = standInFinder(topology.containers, labelIn(tried));
  /** By whose label it is judged. */
  const judgedAs = (container: Doer | undefined): string | undefined =>
    container !== undefined && isGone(container.id) ? standInOf(container.name)?.id : container?.id;
  const viewsOf = (here: ClassifiedNetwork, services: readonly ServicePolicy[]): ListViews => {
    const viewOf = (on: ClassifiedNetwork, id: string | undefined): LabelView =>
      labelView(on, listsOf(on, id, { containers: { services } }), inside, uptimeMs);
    return {
      onNetwork: (container) => viewOf(here, judgedAs(container)),
      elsewhere(container) {
        const id = judgedAs(container);
        return othersOf(id, here, inForce).map((on) => viewOf(on, id));
      },
    };
  };
  const seen = await readObservation(network, classification.guarded, sources);
  const rows = judgeAnew(seen, {
    ...{ inside, nowMs: uptimeMs, isGone },
    tried: viewsOf(changed, tried),
    present: viewsOf(network, present),
  });
  const warnings = [proposed, ...containers.map(({ list }) => list)].flatMap((list) =>
    list === undefined ? [] : warnOfPublicSuffixes(list.source, list.entries).map(({ sentence }) => sentence),
  );
  return {
    network: network.name,
    sinceMs: epochMs(sources.history.sinceMs(network.id)),
    warnings: [...warnings, ...tellUnlabelled(rows, standInOf)],
    rows,
  };
}

/** The other guarded networks of a container, which allow names, too. */
function othersOf(
  containerId: string | undefined,
  { id: here }: ClassifiedNetwork,
  { topology, classification }: InForce,
): readonly ClassifiedNetwork[] {
  const container = topology.containers.find(
    ({ id }) => containerId !== undefined && shortId(id) === shortId(containerId),
  );
  const ids = container?.endpoints.map(({ networkId }) => networkId) ?? [];
  return ids.flatMap((id) => classification.guarded.filter((on) => on.id === id && id !== here));
}

/** What tells apart the labels of containers, as they are or are tried. */
function labelIn(services: readonly ServicePolicy[]): (container: Container) => string {
  return ({ id, name }) => {
    const lists = services.find(({ containerId }) => containerId === id)?.lists ?? [];
    const label = placeOfLabel({ kind: "container", name });
    return lists.find(({ id: list, source }) => list === proposedId || source === label)?.digest ?? "";
  };
}

/** Of what stays denied, or would be, where another label may have allowed it. */
function tellUnlabelled(
  rows: readonly ReplayedRow[],
  standInOf: (gone: string) => Container | undefined,
): readonly string[] {
  const denied = rows.filter(({ gone, after }) => gone === true && !after);
  const names = [...new Set(denied.map(({ container = "" }) => container))]
    .filter((name) => standInOf(name) === undefined)
    .toSorted();
  if (names.length === 0) return [];
  const more = names.length > mostListed ? ` and ${names.length - mostListed} more` : "";
  return [
    `containers that are gone are judged without labels of their own, as those that they had are not known any more: ${names.slice(0, mostListed).join(", ")}${more}`,
  ];
}

/** A container's label as it might be. */
interface OwnProposal {
  /** As it was given. */
  readonly text: string;
  /** All of a service. */
  readonly containers: readonly Container[];
  readonly list: EntryList;
}

/** @param text `CONTAINER=ENTRIES` */
function readOwn(text: string, network: ClassifiedNetwork, { topology, presets }: InForce): OwnProposal {
  const [, name, entries = ""] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined) {
    throw new DockerwallError(
      "USAGE",
      `${JSON.stringify(text)}: write CONTAINER=ENTRIES, as in web="api.example.com:443"`,
    );
  }
  const named = findContainers(topology, name);
  const isOn = ({ endpoints }: Container): boolean =>
    endpoints.some(({ networkId }) => networkId === network.id);
  const containers = named.filter(isOn);
  if (containers.length === 0) {
    const holder = named.map((each) => networkHolder(each, topology.containers)).find(isOn);
    const place =
      holder === undefined
        ? `is not on network ${JSON.stringify(network.name)}`
        : `uses the network of container ${JSON.stringify(holder.name)}, which has the label for all that share it; name ${JSON.stringify(holder.name)} in its place`;
    throw new DockerwallError("NOT_FOUND", `container ${JSON.stringify(name)} ${place}`);
  }
  return { text, containers, list: readProposal(name, entries, presets) };
}

/** By its service and by its own name, a container may be meant twice. @throws DockerwallError USAGE */
function assertOneLabelEach(proposals: readonly OwnProposal[]): void {
  const texts = new Map<string, string>();
  for (const { text, containers } of proposals) {
    for (const { id, name } of containers) {
      const before = texts.get(id);
      if (before !== undefined) {
        const both = `${JSON.stringify(before)} and ${JSON.stringify(text)}`;
        throw new DockerwallError(
          "USAGE",
          `container ${JSON.stringify(name)} would have two labels, ${both}: write all of its entries into one of them`,
        );
      }
      texts.set(id, text);
    }
  }
}

function readProposal(source: string, text: string, presets: Presets): EntryList {
  const entries = requireEntries(text, presets, source);
  return {
    id: proposedId,
    source,
    entries,
    digest: digestOf(entries.map(describeEntry)),
    endsAtMs: undefined,
  };
}

/** The lists with what is proposed in place of the label's; as they are where nothing is. */
function withProposal(
  lists: readonly EntryList[],
  kind: LabelPlace,
  name: string,
  proposed: EntryList | undefined,
): readonly EntryList[] {
  if (proposed === undefined) return lists;
  return [proposed, ...lists.filter(({ source }) => source !== placeOfLabel({ kind, name }))];
}

function withOwn(
  services: readonly ServicePolicy[],
  proposals: readonly OwnProposal[],
): readonly ServicePolicy[] {
  const proposed = proposals.flatMap(({ containers, list }) =>
    containers.map(({ id, name }): ServicePolicy => {
      const known = services.find(({ containerId }) => containerId === id);
      const lists = withProposal(known?.lists ?? [], "container", name, list);
      return { containerId: id, name, addresses: known?.addresses ?? [], lists };
    }),
  );
  const ids = new Set(proposed.map(({ containerId }) => containerId));
  return [...services.filter(({ containerId }) => !ids.has(containerId)), ...proposed];
}
