// What a data plane decides by as text, for comparison: without the numbers of lists, which are those of one daemon.

import type { Picture } from "../../../src/core/model/picture.ts";
import type { EntryList } from "../../../src/core/policy/entry-list.ts";

/** Lines of guarded networks, containers with lists of their own, containers cut off, and of all that there are. */
export function renderPicture(picture: Picture | undefined): readonly string[] {
  if (picture === undefined) return [];
  const { topology, guarded, services, quarantined } = picture;
  return [
    ...guarded.flatMap(({ lists, ...rest }) => [
      `guarded ${JSON.stringify(rest)}`,
      ...linesOf(`  ${rest.name}`, lists),
    ]),
    ...services.flatMap(({ lists, ...rest }) => [
      `service ${JSON.stringify(rest)}`,
      ...linesOf(`  ${rest.name}`, lists),
    ]),
    ...quarantined.toSorted().map((id) => `quarantined ${id}`),
    ...topology.networks.map((network) => JSON.stringify(network)),
    ...topology.containers.map((container) => JSON.stringify(container)),
  ];
}

/** Their order is that of commands, and decides nothing. */
function linesOf(name: string, lists: readonly EntryList[]): readonly string[] {
  return lists
    .map(({ source, entries, endsAtMs, closes }) => JSON.stringify({ source, entries, endsAtMs, closes }))
    .toSorted()
    .map((line) => `${name} ${line}`);
}
