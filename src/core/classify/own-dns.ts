// Resolvers that a container is given (`--dns`, `dns:`). Docker's own resolver would ask them; on a guarded network Dockerwall
// answers in its place.

import { labelName } from "../labels/table.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { Container, Network } from "../model/topology.ts";

/** Docker's own, where the container's /etc/resolv.conf names them. Nobody can give the name to another network. */
const defaultNetwork = "bridge";

/** A sentence on what a container is given in vain, where a guarded network of it names no resolvers. */
export function tellOwnDns(
  { name, dns = [], endpoints }: Container,
  networks: ReadonlyMap<string, Network>,
  guarded: ReadonlyMap<string, Pick<GuardedNetwork, "labels">>,
): readonly string[] {
  if (dns.length === 0) return [];
  const silent = endpoints.find(({ networkId }) => {
    const home = guarded.get(networkId);
    return home !== undefined && home.labels.upstream === undefined;
  });
  const network = silent && networks.get(silent.networkId);
  if (network === undefined || network.name === defaultNetwork) return [];
  return [`container ${JSON.stringify(name)}: ${tellUnasked(dns.join(" "), network.name)}`];
}

/** @param servers one or more, with spaces between them */
export function tellUnasked(servers: string, network: string): string {
  const why = `as network ${JSON.stringify(network)} is guarded: Dockerwall answers in its place, and asks its own resolvers`;
  const remedy = `to have it asked, write the label ${labelName("upstream")}: ${JSON.stringify(servers)} on the network`;
  return `dns ${servers} is not asked, ${why}; ${remedy}`;
}
