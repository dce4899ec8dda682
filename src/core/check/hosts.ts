// Entries for names that no resolver is asked for: a service has them in its own /etc/hosts, or they mean the host.

import type { ComposeService, ExtraHost, Project, WrittenLabel } from "../compose/project.ts";
import { type Finding, placeWithin } from "../compose/tree.ts";
import { allowLabel, type LabelPlace, placeOf } from "../labels/table.ts";
import { hostPrefix, parseAddress } from "../model/address.ts";
import { isHostName } from "../model/host-names.ts";
import { type DomainEntry, renderEntry } from "../policy/entry.ts";
import type { Presets } from "../policy/preset.ts";
import { splitList, type WrittenEntry } from "./opens.ts";

/** One sentence for each such entry of a project. */
export function tellHosts({ networks, services }: Project, presets: Presets): readonly Finding[] {
  const tell = (
    subject: { readonly kind: LabelPlace; readonly name: string },
    labels: readonly WrittenLabel[],
    among: readonly ComposeService[],
  ): Finding[] => {
    const label = labels.find(({ name }) => name === allowLabel);
    if (label === undefined) return [];
    return splitList(label.value, presets).flatMap((written) => {
      const text = adviceOn(written, among);
      if (text === undefined) return [];
      const place = label.written === undefined ? label.place : placeWithin(label.written, written.word);
      return [{ place, text: `${placeOf(subject, allowLabel)}: ${text}` }];
    });
  };
  return [
    ...networks.flatMap(({ key, labels }) =>
      tell(
        { kind: "network", name: key },
        labels,
        services.filter((service) => service.networks.includes(key)),
      ),
    ),
    ...services.flatMap((service) =>
      tell({ kind: "container", name: service.name }, service.labels, [service]),
    ),
  ];
}

/** What is to be said of an entry; undefined for nothing. @param among services that have its list */
export function adviceOn(
  { word, entries }: WrittenEntry,
  among: readonly Pick<ComposeService, "name" | "extraHosts">[],
): string | undefined {
  const named = entries.find(isGrantByName);
  if (named === undefined) return undefined;
  const says = `entry ${JSON.stringify(word.slice(0, 80))} opens nothing`;
  for (const { name, extraHosts } of among) {
    const given = extraHosts.filter((each) => each.name.toLowerCase() === named.domain);
    if (given.length === 0) continue;
    const instead = new Set(given.map((each) => entryInstead(named, each)));
    return `${says} for service ${JSON.stringify(name)}, which has the name by extra_hosts and looks nothing up: write ${[...instead].join(" ")}`;
  }
  if (!isHostName(named.domain)) return undefined;
  return `${says}: it is a name of the host, which no resolver has: write ${hostEntry(named)}, and give the name to services that use it (extra_hosts: "${named.domain}:host-gateway")`;
}

/** Of one name, wherever it leads. */
function isGrantByName(entry: WrittenEntry["entries"][number]): entry is DomainEntry {
  return entry.kind === "domain" && entry.scope === "exact" && !entry.negated && entry.within === undefined;
}

function entryInstead(entry: DomainEntry, { address }: ExtraHost): string {
  const parsed = parseAddress(address.replace(/^\[(.*)\]$/, "$1"));
  if (address === "host-gateway" || isHostName(entry.domain)) return hostEntry(entry);
  if (parsed === undefined) return "its address";
  return renderEntry({ kind: "prefix", prefix: hostPrefix(parsed), service: entry.service, negated: false });
}

function hostEntry({ service: { protocol, ports } }: DomainEntry): string {
  if (ports === "any" || (protocol !== "any" && protocol !== "tcp" && protocol !== "udp"))
    return "host:PORT/tcp";
  return renderEntry({ kind: "host", protocol, ...ports, negated: false });
}
