// Services that name resolvers of their own: on a guarded network nobody asks those, as Dockerwall answers in the place of
// Docker's resolver, which would ask them.

import { tellUnasked } from "../classify/own-dns.ts";
import type { ComposeService, Project } from "../compose/project.ts";
import type { Finding } from "../compose/tree.ts";
import { allowLabel, labelName } from "../labels/table.ts";
import type { NetworkState } from "./report.ts";

/** One sentence for each; none where the guarded networks name theirs. */
export function tellDns(
  { networks, services }: Project,
  stateOf: (key: string) => NetworkState,
): readonly Finding[] {
  const upstream = labelName("upstream");
  const isSilent = (key: string): boolean =>
    stateOf(key) === "guarded" &&
    networks.every((network) => network.key !== key || network.labels.every(({ name }) => name !== upstream));
  return services.flatMap((service) => {
    const network = service.networks.find(isSilent);
    if (network === undefined) return [];
    return service.dns.map(({ text, place }) => {
      const beginning = `service ${JSON.stringify(service.name)}: ${tellUnasked(text, network)}`;
      return { place, text: `${beginning}${ofService(text, services)}` };
    });
  });
}

function ofService(address: string, services: readonly ComposeService[]): string {
  const owner = services.find(({ addresses }) => addresses.includes(address));
  if (owner === undefined) return "";
  return `; that is service ${JSON.stringify(owner.name)}: give it a network of its own without ${allowLabel}, or its lookups come back to it`;
}
