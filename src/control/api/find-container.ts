// Finds containers and networks by the names that people use: the engine's, and those of Compose.

import { nearestOf } from "../../core/model/did-you-mean.ts";
import type { Container, Topology } from "../../core/model/topology.ts";
import { DockerwallError } from "../../errors.ts";

const projectLabel = "com.docker.compose.project";
const serviceLabel = "com.docker.compose.service";
const networkLabel = "com.docker.compose.network";

/** What has labels that Compose sets. */
interface Labelled {
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
  const exact = containers.find((container) => container.name === name || container.id === name);
  if (exact !== undefined) return exact;
  const byPrefix = name.length < leastDigits ? [] : containers.filter(({ id }) => id.startsWith(name));
  const found = byPrefix.length > 0 ? byPrefix : ofService(containers, name);
  const [only] = found;
  if (only === undefined) throw new DockerwallError("NOT_FOUND", notFound(containers, name, what));
  if (found.length === 1) return only;
  throw new DockerwallError("NOT_FOUND", ambiguous("containers", name, found));
}

/** True if Compose calls a service that. */
export function isService({ containers }: Topology, name: string): boolean {
  return ofService(containers, name).length > 0;
}

function ofService(containers: readonly Container[], name: string): readonly Container[] {
  const found = containers.filter(({ labels }) => isNamed(name, labels[projectLabel], labels[serviceLabel]));
  const running = found.filter((container) => container.running);
  return running.length > 0 ? running : found;
}

/**
 * A network by name, by id or its first digits, by its key in Compose (`app`), or by `PROJECT/KEY`, if only one fits.
 * @returns undefined if none fits
 * @throws DockerwallError NOT_FOUND if several do
 */
export function findNamedNetwork<Network extends Labelled & { readonly id: string }>(
  networks: readonly Network[],
  name: string,
): Network | undefined {
  const exact = networks.find((network) => network.name === name || network.id === name);
  if (exact !== undefined) return exact;
  const byPrefix = name.length < leastDigits ? [] : networks.filter(({ id }) => id.startsWith(name));
  const found =
    byPrefix.length > 0
      ? byPrefix
      : networks.filter(({ labels }) => isNamed(name, labels[projectLabel], labels[networkLabel]));
  if (found.length > 1) throw new DockerwallError("NOT_FOUND", ambiguous("networks", name, found));
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
    containers.flatMap((each) => [each.name, each.labels[serviceLabel] ?? each.name]),
  );
  const advice = near === undefined ? "see docker ps for names and ids" : `did you mean ${near}?`;
  return `there is no ${what} ${JSON.stringify(name)}; ${advice}`;
}
