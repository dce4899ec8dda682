// Entries for names that no resolver is asked for: a service has them in its own /etc/hosts, or they mean the host.

import type { ComposeService, ExtraHost } from "../compose/project.ts";
import { hostPrefix, parseAddress } from "../model/address.ts";
import { isHostName } from "../model/host-names.ts";
import { type DomainEntry, renderEntry } from "../policy/entry.ts";
import type { WrittenEntry } from "./opens.ts";

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
