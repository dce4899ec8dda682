// The control plane's part of `replay`: judges past traffic by labels that are not in force.

import { type DataRead, fields, optional, text, texts } from "../../core/api/request-checks.ts";
import { networkHolder } from "../../core/classify/containers.ts";
import { placeOfLabel } from "../../core/classify/gather.ts";
import type { ClassifiedNetwork } from "../../core/classify/networks.ts";
import type { LabelPlace } from "../../core/labels/table.ts";
import type { ServicePolicy } from "../../core/model/guarded-network.ts";
import type { ReplayReport } from "../../core/model/report.ts";
import { type Container, shortId } from "../../core/model/topology.ts";
import { requireEntries } from "../../core/policy/allowlist.ts";
import { digestOf } from "../../core/policy/digest.ts";
import type { EntryList } from "../../core/policy/entry-list.ts";
import { describeEntry, type Presets } from "../../core/policy/preset.ts";
import { warnOfPublicSuffixes } from "../../core/policy/public-suffix.ts";
import { labelView } from "../../core/suggest/label-view.ts";
import { listsOf } from "../../core/suggest/lists.ts";
import { replay as judgeAnew } from "../../core/suggest/replay.ts";
import { epochMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError } from "../../errors.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import { findContainers } from "./context/find-container.ts";
import { insideNow, thisHost } from "./context/host-now.ts";
import { findNetwork, type InForce } from "./context/in-force.ts";
import { readObservation } from "./context/observation.ts";
import { route } from "./context/route.ts";
import type { SuggestionSources } from "./suggest.ts";

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
  const services = withOwn(classification.containers.services, containers);
  const inside = insideNow(inForce, sources);
  const viewOf = (on: ClassifiedNetwork, containerId: string | undefined) =>
    labelView(on, listsOf(on, containerId, { containers: { services } }), inside, uptimeMs);
  /** The other guarded networks of a container allow names, too. */
  const others = (containerId: string | undefined): readonly ClassifiedNetwork[] => {
    const container = topology.containers.find(({ id }) => shortId(id) === containerId);
    const ids = container?.endpoints.map(({ networkId }) => networkId) ?? [];
    return ids.flatMap((id) => classification.guarded.filter((on) => on.id === id && id !== network.id));
  };
  const rows = judgeAnew(await readObservation(network, classification.guarded, sources), {
    inside,
    nowMs: uptimeMs,
    onNetwork: (container) => viewOf(changed, container?.id),
    elsewhere: (container) => others(container?.id).map((on) => viewOf(on, container?.id)),
  });
  const warnings = [proposed, ...containers.map(({ list }) => list)].flatMap((list) =>
    list === undefined ? [] : warnOfPublicSuffixes(list.source, list.entries).map(({ sentence }) => sentence),
  );
  return { network: network.name, sinceMs: epochMs(sources.history.sinceMs), warnings, rows };
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
  return { id: -1, source, entries, digest: digestOf(entries.map(describeEntry)), endsAtMs: undefined };
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
