// Who looks names up through us, and at which addresses: the containers of guarded networks, by their own addresses and
// by the ports that they publish on the host, and guarded networks themselves, for addresses that no container has yet.

import { answersAt, type IpAddress, type Prefix, parsePrefix, prefixContains } from "../../model/address.ts";
import { type GuardedNetwork, networkFinder } from "../../model/guarded-network.ts";
import type { Container, Topology } from "../../model/topology.ts";
import type { Upstream } from "../../model/upstream.ts";

/** The resolvers of a network's label; undefined stands for the daemon's own. */
export type Choice = readonly Upstream[] | undefined;

/** A container or address that looks names up, with all its addresses. */
export interface CircleAsker {
  readonly id: string;
  /** In words, after "is". */
  readonly description: string;
  /** One for each of its guarded networks. */
  readonly choices: readonly Choice[];
}

export interface AskersInput {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  /** The host's addresses; every loopback address is one. */
  readonly own: readonly Prefix[];
}

/** The asker at an address and port, among those whose lookups come to us. */
export type AskerAt = (address: IpAddress, port: number) => CircleAsker | undefined;

export function findAskers({ topology, guarded, own }: AskersInput): AskerAt {
  const byId = new Map(guarded.map((network) => [network.id, network]));
  const networkAt = networkFinder(guarded);
  const byAddress = new Map<IpAddress, CircleAsker>();
  const published: { readonly address: IpAddress; readonly port: number; readonly asker: CircleAsker }[] = [];
  for (const container of topology.containers) {
    const asker = askerOf(container, byId);
    if (asker === undefined) continue;
    for (const { addresses } of container.endpoints)
      for (const address of addresses) byAddress.set(address, asker);
    for (const place of container.published ?? []) published.push({ ...place, asker });
  }

  return (address, port) => {
    const known = byAddress.get(address);
    if (known !== undefined) return known;
    const network = networkAt(address);
    if (network !== undefined && !network.gateways.includes(address)) {
      const description = `an address of guarded network ${JSON.stringify(network.name)}`;
      return { id: address, description, choices: [network.labels.upstream] };
    }
    return [...own, ...loopback].some((prefix) => prefixContains(prefix, address))
      ? published.find((place) => place.port === port && answersAt(place.address, address))?.asker
      : undefined;
  };
}

const loopback = ["127.0.0.0/8", "::1/128"].flatMap((text) => parsePrefix(text) ?? []);

function askerOf(
  container: Container,
  guarded: ReadonlyMap<string, GuardedNetwork>,
): CircleAsker | undefined {
  const networks = container.endpoints.flatMap(({ networkId }) => guarded.get(networkId) ?? []);
  const [first] = networks;
  if (first === undefined) return undefined;
  const description = `container ${JSON.stringify(container.name)} on guarded network ${JSON.stringify(first.name)}`;
  return { id: container.id, description, choices: networks.map(({ labels }) => labels.upstream) };
}
