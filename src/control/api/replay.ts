// The control plane's part of `replay`: judges past traffic by a label that is not in force.

import { placeOfLabel } from "../../core/classify/gather.ts";
import type { ClassifiedNetwork } from "../../core/classify/networks.ts";
import type { ReplayRequest } from "../../core/model/control-api.ts";
import type { ReplayReport } from "../../core/model/report.ts";
import { shortId } from "../../core/model/topology.ts";
import { requireEntries } from "../../core/policy/allowlist.ts";
import { digestOf } from "../../core/policy/digest.ts";
import type { EntryList } from "../../core/policy/entry-list.ts";
import { describeEntry, type Presets } from "../../core/policy/preset.ts";
import { insideOf, labelView, listsOf } from "../../core/suggest/label-view.ts";
import { replay } from "../../core/suggest/replay.ts";
import { findNetwork, type Present } from "./in-force.ts";
import { readObservation } from "./observation.ts";
import type { SuggestionSources } from "./suggest.ts";

/** @throws DockerwallError BAD_ENTRY, NOT_FOUND */
export function replayOn(
  { network: name, allow }: ReplayRequest,
  present: Present,
  sources: SuggestionSources,
): ReplayReport {
  const network = findNetwork(name, present);
  const { classification, topology, presets, nowMs, uptimeMs } = present;
  const proposed = parseProposal(allow, presets);
  const place = placeOfLabel({ kind: "network", name: network.name });
  const changed = {
    ...network,
    lists: [proposed, ...network.lists.filter(({ source }) => source !== place)],
  };
  const inside = insideOf(sources.hostAddresses(), topology);
  const viewOf = (on: ClassifiedNetwork, containerId: string | undefined) =>
    labelView(on, listsOf(on, containerId, classification), inside, uptimeMs);
  /** The other guarded networks of a container allow names, too. */
  const others = (containerId: string | undefined): readonly ClassifiedNetwork[] => {
    const container = topology.containers.find(({ id }) => shortId(id) === containerId);
    const ids = container?.endpoints.map(({ networkId }) => networkId) ?? [];
    return classification.guarded.filter(({ id }) => id !== network.id && ids.includes(id));
  };
  const rows = replay(readObservation(network, classification.guarded, sources, nowMs), {
    onNetwork: (container) => viewOf(changed, container?.id),
    elsewhere: (container) => others(container?.id).map((on) => viewOf(on, container?.id)),
  });
  return { network: network.name, sinceMs: sources.history.sinceMs, rows };
}

function parseProposal(allow: string, presets: Presets): EntryList {
  const entries = requireEntries(allow, presets, "--allow");
  return {
    id: -1,
    source: "--allow",
    entries,
    digest: digestOf(entries.map(describeEntry)),
    endsAtMs: undefined,
  };
}
