// Whether the resolvers answer that guarded networks ask. Each choice is asked by itself: one that answers says nothing of
// those that another network asks, and one that no network asks may be dead.

import type { Circles } from "../../core/dns/circles.ts";
import { rootProblem, rootQuestion } from "../../core/dns/probe.ts";
import type { GuardedNetwork } from "../../core/model/guarded-network.ts";
import { messageOf } from "../../errors.ts";
import type { ResolverFinding } from "../../planes/request-table.ts";
import { keyOf, type NetworkResolvers, type UpstreamChoice } from "../resolvers.ts";

type Choosing = Pick<GuardedNetwork, "name" | "labels">;

/** Where no network is guarded, the daemon's own: the first will ask them. */
export async function examineResolvers(
  guarded: readonly Choosing[],
  resolvers: Pick<NetworkResolvers, "probe">,
  circles: Pick<Circles, "reasonFor">,
): Promise<readonly ResolverFinding[]> {
  const byChoice = Map.groupBy(guarded, ({ labels: { upstream } }) => upstream && keyOf(upstream));
  if (guarded.length === 0) byChoice.set(undefined, []);
  const choices = [...byChoice].flatMap(([key, networks]) => {
    const choice = networks[0]?.labels.upstream;
    // None is asked where the label cannot be read, and status says that.
    if (choice?.length === 0) return [];
    return [
      { choice, networks: key === undefined ? undefined : networks.map(({ name }) => name).toSorted() },
    ];
  });
  return Promise.all(
    choices.map(async ({ choice, networks }) => ({
      networks,
      problem: await problemOf(choice, resolvers, circles),
    })),
  );
}

/** Why none of these answers a question for the root; undefined when one does. */
async function problemOf(
  choice: UpstreamChoice,
  resolvers: Pick<NetworkResolvers, "probe">,
  circles: Pick<Circles, "reasonFor">,
): Promise<string | undefined> {
  try {
    const problem = rootProblem(await resolvers.probe(rootQuestion, { choice, asker: "doctor" }));
    return problem === undefined ? undefined : (circles.reasonFor(choice) ?? problem);
  } catch (error) {
    return circles.reasonFor(choice) ?? messageOf(error);
  }
}
