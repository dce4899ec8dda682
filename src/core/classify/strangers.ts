// Names in the policy file and in overrides that nothing has: such a slip would silently take away or grant nothing. And
// names of what was in quarantine that another container has now.

import { shortId, type Topology } from "../model/topology.ts";
import { hasEnded } from "../policy/entry-list.ts";
import type { OtherPolicies } from "./gather.ts";

/** Where the names are looked for. */
export interface Named {
  readonly topology: Pick<Topology, "containers">;
  readonly policy: Pick<OtherPolicies, "file" | "overrides" | "nowMs">;
}

/** Overrides for names that do not exist: they no longer apply to a container that was renamed. */
export function strangersInOverrides(
  { topology, policy: { overrides, nowMs } }: Named,
  guarded: readonly { readonly name: string }[],
): string[] {
  const there = {
    network: new Set(guarded.map(({ name }) => name)),
    container: new Set(topology.containers.map(({ name }) => name)),
  };
  return [...overrides.values()].flatMap((all) => {
    const own = all.filter((override) => !hasEnded(override, nowMs));
    const [first] = own;
    if (first === undefined || there[first.target.kind].has(first.target.name)) return [];
    const { kind, name } = first.target;
    const who = `${kind === "network" ? "guarded network" : "container"} ${JSON.stringify(name)}`;
    const entries = own.map(({ entry }) => entry).join(", ");
    return [`overrides: there is no ${who} for ${entries}; if it was renamed, they no longer apply to it`];
  });
}

/**
 * Containers that have the name of one that was in quarantine, and are not it.
 * @param ended ids of those that are gone, by name
 */
export function strangersToQuarantine(
  { containers }: Pick<Topology, "containers">,
  ended: ReadonlyMap<string, string>,
): string[] {
  return containers.flatMap(({ name }) => {
    const gone = ended.get(name);
    if (gone === undefined) return [];
    return [
      `container ${JSON.stringify(name)} is NOT in quarantine: the one of this name that was (${shortId(gone)}) is gone, and its quarantine with it; dockerwall quarantine ${name} cuts off the new one, dockerwall release ${name} says that it is meant to be out`,
    ];
  });
}

/** Names in the policy file that do not exist; one sentence each. */
export function strangersInFile(
  { topology, policy: { file } }: Named,
  guarded: readonly { readonly name: string }[],
): string[] {
  const networks = new Set(guarded.map(({ name }) => name));
  const containers = new Set(topology.containers.map(({ name }) => name));
  const sharing = new Set(
    topology.containers.flatMap(({ name, networkMode }) => (/^container:/.test(networkMode) ? [name] : [])),
  );
  return [
    ...[...file.networks.keys()]
      .filter((name) => !networks.has(name))
      .map((name) => `policy file: there is no guarded network ${JSON.stringify(name)}`),
    ...[...file.containers.keys()].flatMap((name) => {
      const text = JSON.stringify(name);
      if (sharing.has(name))
        return [`policy file: container ${text} shares the network of another container; name that one`];
      return containers.has(name) ? [] : [`policy file: there is no container ${text}`];
    }),
  ];
}
