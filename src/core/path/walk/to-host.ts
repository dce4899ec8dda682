// The way to an address of the host, where `host` entries decide.

import type { HostMember } from "../../firewall/entries/host.ts";
import { prefixContains } from "../../model/address.ts";
import { serviceAtPort } from "../../model/service.ts";
import { renderOpenPorts } from "../open-ports.ts";
import type { Surroundings } from "../surroundings.ts";
import type { PathEnd } from "../verdict.ts";
import { isAudited, isCaptured, isSentTo, judged, type Leaving } from "./leaving.ts";
import { walkToPublisher } from "./published.ts";

export function walkToHost(surroundings: Surroundings, leaving: Leaving): PathEnd {
  if (isCaptured(leaving)) return judged("captured", "lookup");
  const { source, port } = leaving;
  const held = walkToPublisher(surroundings, leaving);
  if (held !== undefined) return held;
  // As in the kernel's set, of those for one port that of the narrowest range decides.
  const matching = surroundings.hostEntries
    .filter(({ prefix, service }) => isSentTo(leaving, service) && prefixContains(prefix, source))
    .toSorted((one, other) => one.prefix.length - other.prefix.length);
  const deciding = new Map(matching.map((member) => [keyOf(member.service), member]));
  const open = [...deciding.values()].filter(({ exception }) => exception !== true);
  if (open.length > 0) {
    const end = judged("passes", "host-entry");
    return port === undefined ? { ...end, ...portsOf(open, leaving) } : end;
  }
  // What is denied on its way to the host is answered by nobody.
  return isAudited(surroundings, leaving) ? judged("passes", "audit") : judged("dropped", "host");
}

function keyOf({ protocol, port }: HostMember["service"]): string {
  return `${protocol}:${port}`;
}

function portsOf(open: readonly HostMember[], leaving: Leaving): Pick<PathEnd, "ports"> {
  const services = open.flatMap(({ service }) => serviceAtPort(service.protocol, service.port) ?? []);
  const ports = renderOpenPorts(services, leaving);
  return ports === undefined ? {} : { ports };
}
