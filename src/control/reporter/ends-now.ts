// The control plane's part of `stats`: what a packet like a denied one would meet now.

import type { DeniedRecord } from "../../core/journal/denied-record.ts";
import { bookedUnder } from "../../core/journal/report.ts";
import type { PathEnd } from "../../core/path/verdict.ts";
import { type LabelView, labelView } from "../../core/suggest/label-view.ts";
import { listsOf } from "../../core/suggest/lists.ts";
import { connectionOf } from "../../core/suggest/observed.ts";
import type { Present } from "../api/in-force.ts";
import { insideNow, type SuggestionSources } from "../api/suggest.ts";

/** By the lists in force, of the container's own if it is there. */
export function endsNow(
  { classification, topology, quarantine, uptimeMs }: Present,
  sources: Pick<SuggestionSources, "hostAddresses" | "bridgesFiltered">,
): (record: DeniedRecord) => PathEnd | undefined {
  const { guarded } = classification;
  const inside = insideNow({ topology }, sources, quarantine);
  const networkOf = bookedUnder(guarded);
  const networks = new Map(guarded.map((network) => [network.id, network]));
  const views = new Map<string, LabelView>();
  return (record) => {
    const network = networks.get(networkOf(record) ?? "");
    if (network === undefined) return undefined;
    const key = `${network.id} ${record.owner?.containerId}`;
    const view =
      views.get(key) ??
      labelView(network, listsOf(network, record.owner?.containerId, classification), inside, uptimeMs);
    views.set(key, view);
    return view.meets(connectionOf(record));
  };
}
