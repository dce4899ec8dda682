// A container that is gone is remembered by its name alone. Its successor, which Compose has made anew under that name, or
// another container of its service, tells which labels it would have now.

import { composeLabels } from "../../model/compose-labels.ts";
import type { Container } from "../../model/topology.ts";

/** While Compose makes a container anew, the former one has some digits of its id before its name. */
const renamed = /^[0-9a-f]{12}_/;

/**
 * @param labelOf what tells apart the labels of containers
 * @returns the one that stands in for a container of this name that is gone; undefined where none does, or where those of its service have
 *   different labels
 */
export function standInFinder(
  containers: readonly Container[],
  labelOf: (container: Container) => string,
): (gone: string) => Container | undefined {
  const byName = new Map(containers.map((container) => [container.name, container]));
  return (gone) => {
    const name = gone.replace(renamed, "");
    const successor = byName.get(name);
    if (successor !== undefined) return successor;
    const siblings = containers.filter((container) => isSibling(name, container));
    const [first] = siblings;
    return new Set(siblings.map(labelOf)).size === 1 ? first : undefined;
  };
}

/** Whether Compose would give this name to a container of the same service. */
function isSibling(name: string, { labels }: Container): boolean {
  const project = labels[composeLabels.project];
  const service = labels[composeLabels.service];
  if (project === undefined || service === undefined) return false;
  return ["-", "_"].some((separator) => {
    const begin = [project, service, ""].join(separator);
    return name.startsWith(begin) && /^[0-9]+$/.test(name.slice(begin.length));
  });
}
