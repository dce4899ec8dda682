// What a process on the host's own network sends. Nothing of ours judges it, but what answers it may be held.

import type { IpAddress } from "../model/address.ts";
import type { Container } from "../model/topology.ts";
import type { ExplainTarget } from "../policy/target.ts";
import { type Explained, unjudged } from "./explained.ts";
import { containerAt, type Surroundings } from "./surroundings.ts";
import type { PathEnd } from "./verdict.ts";
import type { SentPacket } from "./walk/leaving.ts";
import { publisherOf } from "./walk/published.ts";

const passes: PathEnd = { verdict: "not-ours", step: "host-network" };

/** @param hosts where the container's own /etc/hosts has the name: what the host's resolvers say of it is not known */
export function explainFromHost(
  surroundings: Surroundings,
  target: ExplainTarget,
  hosts: readonly IpAddress[],
): Explained {
  const destinations = target.address === undefined ? hosts : [target.address];
  const paths = destinations.map((destination) => ({
    destination,
    source: undefined,
    network: undefined,
    ...walkFromHost(surroundings, target, destination),
  }));
  const { verdict, step } = paths.find((path) => path.verdict === passes.verdict) ?? paths[0] ?? passes;
  return { verdict, step, paths, ...unjudged };
}

function walkFromHost(
  surroundings: Surroundings,
  { ipProtocol, port }: SentPacket,
  destination: IpAddress,
): PathEnd {
  const receiver =
    receiverAt(surroundings, destination) ?? publisherOf(surroundings, { destination, ipProtocol, port });
  // It gets what the host sends, and nothing that it answers gets out.
  return receiver !== undefined && surroundings.quarantine.has(receiver.id)
    ? { verdict: "dropped", step: "neighbour-quarantined" }
    : passes;
}

function receiverAt(surroundings: Surroundings, destination: IpAddress): Container | undefined {
  for (const { id, bridge } of surroundings.networks) {
    const found = bridge === undefined ? undefined : containerAt(surroundings, id, destination);
    if (found !== undefined) return found;
  }
  return undefined;
}
