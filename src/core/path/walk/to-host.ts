// The way to an address of the host, where `host` entries decide.

import { prefixContains } from "../../model/address.ts";
import type { Surroundings } from "../surroundings.ts";
import type { PathEnd } from "../verdict.ts";
import { isAudited, isCaptured, judged, type Leaving } from "./leaving.ts";
import { walkToPublisher } from "./published.ts";

export function walkToHost(surroundings: Surroundings, leaving: Leaving): PathEnd {
  if (isCaptured(leaving)) return judged("captured", "lookup");
  const { source, ipProtocol, port } = leaving;
  const held = walkToPublisher(surroundings, leaving);
  if (held !== undefined) return held;
  const matching = surroundings.hostEntries.filter(
    ({ prefix, service }) =>
      (port === undefined || (service.port === port && service.protocol === ipProtocol)) &&
      prefixContains(prefix, source),
  );
  const isOpen = matching.some(
    (member) => member.exception !== true && !hasException(matching, member.service),
  );
  if (isOpen) return judged("passes", "host-entry");
  // What is denied on its way to the host is answered by nobody.
  return isAudited(surroundings, leaving) ? judged("passes", "audit") : judged("dropped", "host");
}

function hasException(
  members: Surroundings["hostEntries"],
  { protocol, port }: Surroundings["hostEntries"][number]["service"],
): boolean {
  return members.some(
    ({ service, exception }) => exception === true && service.protocol === protocol && service.port === port,
  );
}
