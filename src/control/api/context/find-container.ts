// Finds containers and networks by the names that people use: the engine's, and those of Compose.

import { composeLabels } from "../../../core/model/compose-labels.ts";
import { nearestOf } from "../../../core/model/did-you-mean.ts";
import type { Container, Topology } from "../../../core/model/topology.ts";
import { DockerwallError } from "../../../errors.ts";

/** What has labels that Compose sets. */
interface Labelled {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The fewest digits that are taken for the beginning of an id. */
const leastDigits = 4;

/** How many names an error lists. */
const mostListed = 8;

/**
 * By name, by id or its first digits, by Compose service (`web`), or by `PROJECT/SERVICE`, if only one fits; the first
 * of these that fits anything decides. Of a service's containers, those that run count, if any do.
 * @param what What else the name could have been, for the message.
 * @throws DockerwallError NOT_FOUND
 */
export function findContainer({ containers }: Topology, name: string, what = "container"): Container {
  const found = onlyOne("containers", name, fitting(containers, name, ofService));
  if (found === undefined) throw new DockerwallError("NOT_FOUND", notFound(containers, name, what));
  return found;
}

/** The same, but of a Compose service all containers. @throws DockerwallError NOT_FOUND */
export function findContainers({ containers }: Topology, name: string): readonly Container[] {
  const found = fitting(containers, name, ofService);
  if (found.length === 0)
    throw new DockerwallError("NOT_FOUND", notFound(containers, name, "container or service"));
  const { project, service } = composeLabels;
  const services = new Set(found.map(({ id, labels }) => [labels[project], labels[service] ?? id].join("/")));
  if (services.size > 1) throw new DockerwallError("NOT_FOUND", ambiguous("containers", name, found));
  return found;
}

/** True if Compose calls a service that. */
export function isService({ containers }: Topology, name: string): boolean {
  return ofService(containers, name).length > 0;
}

function ofService(containers: readonly Container[], name: string): readonly Container[] {
  const { project, service } = composeLabels;
  const found = containers.filter(({ labels }) => isNamed(name, labels[project], labels[service]));
  const running = found.filter((container) => container.running);
  return running.length > 0 ? running : found;
}

/**
 * A network by name, by id or its first digits, by its key in Compose (`app`), or by `PROJECT/KEY`, if only one fits.
 * @returns undefined if none fits
 * @throws DockerwallError NOT_FOUND if several do
 */
export function findNamedNetwork<Network extends Labelled>(
  networks: readonly Network[],
  name: string,
): Network | undefined {
  return onlyOne("networks", name, fitting(networks, name, ofKey));
}

function ofKey<Network extends Labelled>(networks: readonly Network[], name: string): readonly Network[] {
  const { project, network } = composeLabels;
  return networks.filter(({ labels }) => isNamed(name, labels[project], labels[network]));
}

/** What the engine calls so, or else what begins so, or else what Compose calls so. */
function fitting<Item extends Labelled>(
  items: readonly Item[],
  name: string,
  ofCompose: (items: readonly Item[], name: string) => readonly Item[],
): readonly Item[] {
  const exact = items.find((item) => item.name === name || item.id === name);
  if (exact !== undefined) return [exact];
  const byPrefix = name.length < leastDigits ? [] : items.filter(({ id }) => id.startsWith(name));
  return byPrefix.length > 0 ? byPrefix : ofCompose(items, name);
}

/** @throws DockerwallError NOT_FOUND if there are several */
function onlyOne<Item extends Labelled>(
  kind: "containers" | "networks",
  name: string,
  found: readonly Item[],
): Item | undefined {
  if (found.length > 1) throw new DockerwallError("NOT_FOUND", ambiguous(kind, name, found));
  return found[0];
}

function isNamed(name: string, project: string | undefined, key: string | undefined): boolean {
  return key !== undefined && (name === key || name === `${project ?? ""}/${key}`);
}

function ambiguous(kind: "containers" | "networks", name: string, found: readonly Labelled[]): string {
  const names = found.map((each) => each.name).sort();
  const more = names.length > mostListed ? ` and ${names.length - mostListed} more` : "";
  return `${JSON.stringify(name)} fits ${found.length} ${kind}; name one of them: ${names.slice(0, mostListed).join(", ")}${more}`;
}

function notFound(containers: readonly Container[], name: string, what: string): string {
  const near = nearestOf(
    name,
    containers.flatMap((each) => [each.name, each.labels[composeLabels.service] ?? each.name]),
  );
  const advice = near === undefined ? "see docker ps for names and ids" : `did you mean ${near}?`;
  return `there is no ${what} ${JSON.stringify(name)}; ${advice}`;
}
