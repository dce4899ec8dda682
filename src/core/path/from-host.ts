// What a process on the host's own network sends. Nothing of ours judges it, but what answers it may be held.

import type { IpAddress } from "../model/address.ts";
import type { Container } from "../model/topology.ts";
import type { ExplainTarget } from "../policy/target.ts";
import { type Explained, unjudged } from "./explained.ts";
import type { Surroundings } from "./surroundings.ts";
import type { PathEnd } from "./verdict.ts";
import type { SentPacket } from "./walk/leaving.ts";
import { receiverOf } from "./walk/published.ts";

const passes: PathEnd = { verdict: "not-ours", step: "host-network" };

/** @param hosts where the container's own /etc/hosts has the name: what the host's resolvers say of it is not known */
export function explainFromHost(
  surroundings: Surroundings,
  target: ExplainTarget,
  hosts: readonly IpAddress[],
): Explained {
  const destinations = target.address === undefined ? hosts : [target.address];
  const ends = destinations.map((destination) => {
    const held = heldReceiver(surroundings, target, destination);
    // It gets what the host sends, and nothing that it answers gets out.
    const end: PathEnd = held === undefined ? passes : { verdict: "dropped", step: "neighbour-quarantined" };
    return { held, path: { destination, source: undefined, network: undefined, ...end } };
  });
  const first = ends.find(({ held }) => held === undefined) ?? ends[0];
  const { verdict, step } = first?.path ?? passes;
  const release = first?.held && ({ kind: "release", container: first.held.name } as const);
  return { verdict, step, ...unjudged, change: release, paths: ends.map(({ path }) => path) };
}

/** Who would get it, if that is in quarantine. */
function heldReceiver(
  surroundings: Surroundings,
  { ipProtocol, port }: SentPacket,
  destination: IpAddress,
): Container | undefined {
  const receiver = receiverOf(surroundings, { destination, ipProtocol, port });
  return receiver !== undefined && surroundings.quarantine.has(receiver.id) ? receiver : undefined;
}
