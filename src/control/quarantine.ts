// `quarantine` and `release` report what they find in the kernel afterwards. A container that quarantine cannot cut off
// is refused, with what to do instead.

import { isOnHostNetwork, networkHolder } from "../core/classify/containers/holder.ts";
import { hazardSentences } from "../core/classify/hazards.ts";
import type { Cut } from "../core/cut.ts";
import { sandboxOf, setNames } from "../core/firewall/names.ts";
import { parseQuarantined } from "../core/grants/comment.ts";
import type { Container, Topology } from "../core/model/topology.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../errors.ts";
import type { Quarantined } from "./wall/quarantines.ts";

/** One sentence on why a container cannot be cut off; undefined if it can. */
export function whyNotCut(container: Container, { networks, containers }: Topology): string | undefined {
  const name = JSON.stringify(container.name);
  const holder = networkHolder(container, containers);
  if (isOnHostNetwork(holder))
    return `container ${name} is on the host's network and cannot be cut off without cutting off the host; stop it: docker stop ${container.name}`;
  if (holder !== container)
    return `container ${name} uses the network of container ${JSON.stringify(holder.name)} and can only be cut off together with it: dockerwall quarantine ${holder.name}`;
  if (/^container:/.test(container.networkMode))
    return `container ${name} uses the network of a container that is gone; stop it: docker stop ${container.name}`;
  const far = networks.find(
    ({ id, bridge }) => bridge === undefined && container.endpoints.some(({ networkId }) => networkId === id),
  );
  if (far === undefined) return undefined;
  return `container ${name} is also on network ${JSON.stringify(far.name)} (${far.driver}), which bypasses this host's rules: it would not be cut off there; run docker network disconnect ${far.name} ${container.name} first, or stop it`;
}

/**
 * By what a container may leave even in quarantine, one sentence each; what shares its network is cut off with it and
 * counts as well. Its label may accept such a thing, but not where it is to be cut off.
 */
export function waysPastQuarantine(container: Container, { containers }: Topology): readonly string[] {
  const together = containers.filter((each) => networkHolder(each, containers).id === container.id);
  return together.flatMap(({ name, hazards }) =>
    hazards
      // That is reached by TCP, and so it is cut off like everything else.
      .filter((hazard) => hazard !== "engine-api")
      .map(
        (hazard) =>
          `container ${JSON.stringify(name)} ${hazardSentences[hazard]}, so it may leave even in quarantine; to be sure, stop it: docker stop ${name}`,
      ),
  );
}

/** What quarantine leaves open where the ports of containers cannot be guarded, in one sentence. */
function whatPortsLeave({ name }: Pick<Container, "name">): string {
  return `container ${JSON.stringify(name)} is cut off by its addresses alone, as ports are not guarded here (see dockerwall status): neighbours may reach it, and it may reach them, or send as one of them; to be sure, stop it: docker stop ${name}`;
}

/** What quarantine leaves open where the kernel cannot keep from a container what others send, in one sentence. */
function whatReachesIt({ name }: Pick<Container, "name">): string {
  return `container ${JSON.stringify(name)} can send nothing, but frames that neighbours send to it by hand still reach its interfaces, where a program with NET_RAW can read them, as the kernel (before Linux 5.16) cannot cut that way; to be sure, stop it: docker stop ${name}`;
}

/** The containers that an earlier run put into quarantine; they stay there: the sets remember them. */
export function readQuarantine(sets: Pick<KernelSets, "list">): readonly Quarantined[] {
  const entries = [setNames.quarantine4, setNames.quarantine6].flatMap((name) => sets.list(name));
  // Entries of the data plane name a sandbox instead.
  const found = entries.flatMap(({ comment }) =>
    comment === undefined || sandboxOf(comment) !== undefined ? [] : parseQuarantined(comment),
  );
  return [...new Map(found.map((each) => [each.id, each])).values()];
}

interface HeldAddress {
  readonly address: string;
  /** Undefined where nobody has put it there: it is cut off because another set is full. */
  readonly comment: string | undefined;
}

/**
 * The kernel's entries for a container in quarantine: its addresses, whichever plane put them there, and its marker.
 */
function heldOf(sets: KernelSets, { id, endpoints }: Container): readonly HeldAddress[] {
  const own = new Set<string>(endpoints.flatMap(({ addresses }) => addresses));
  return [setNames.quarantine4, setNames.quarantine6].flatMap((name) =>
    sets
      .list(name)
      .flatMap(({ key, comment }) =>
        key.kind === "net" && (isOf(id, comment) || own.has(key.prefix.address))
          ? [{ address: key.prefix.address, comment }]
          : [],
      ),
  );
}

function isOf(id: string, comment: string | undefined): boolean {
  return comment !== undefined && parseQuarantined(comment).id === id;
}

export interface CutOffSources {
  readonly sets: KernelSets;
  /** Whether the rules of both families are as they should be. */
  readonly rulesStand: () => Promise<boolean>;
  /** How far it is cut off at its ports and inside, read from the kernel. */
  readonly cutOf: (containerId: string) => Promise<Cut>;
  /** Whether there is more than sets and rules to cut it by. */
  readonly guardsPorts: boolean;
}

/**
 * @returns what the kernel cannot cut here, one sentence each
 * @throws DockerwallError NOT_ENFORCED naming what is missing in the kernel
 */
export async function assertCutOff(container: Container, sources: CutOffSources): Promise<readonly string[]> {
  const { id, name, endpoints, running } = container;
  const held = new Set(heldOf(sources.sets, container).map(({ address }) => address));
  const open = endpoints.flatMap(({ addresses }) => addresses).filter((address) => !held.has(address));
  const hasPorts = running && endpoints.length > 0;
  const cut = sources.guardsPorts && hasPorts ? await sources.cutOf(id) : undefined;
  const missing = [
    ...open.map((address) => `its address ${address} is not in the set`),
    ...(held.size === 0 ? ["the set does not name it"] : []),
    ...((await sources.rulesStand()) ? [] : ["the rules are not as they should be"]),
    ...(cut === "none" || cut === "partly" ? ["it is not cut off both at its ports and inside"] : []),
  ];
  if (missing.length > 0)
    throw new DockerwallError(
      "NOT_ENFORCED",
      `container ${JSON.stringify(name)} is NOT cut off: ${missing.join(", ")}; see dockerwall status, or stop it: docker stop ${name}`,
    );
  if (!sources.guardsPorts) return [whatPortsLeave(container)];
  return cut === "sends-nothing" ? [whatReachesIt(container)] : [];
}

/** What quarantine still holds against a container, in words: entries of sets, and what cuts its ports. */
export async function findHeld(
  container: Container,
  { sets, cutOf }: Pick<CutOffSources, "sets" | "cutOf">,
): Promise<readonly string[]> {
  const atPorts = (await cutOf(container.id)) !== "none";
  return [
    ...heldOf(sets, container).flatMap(({ address, comment }) =>
      comment === undefined ? [] : [`the set still holds ${address}`],
    ),
    ...(atPorts ? ["its ports are still cut"] : []),
  ];
}

/** @throws DockerwallError NOT_ENFORCED naming what the kernel still holds against it */
export async function assertLetBack(
  container: Container,
  sources: Pick<CutOffSources, "sets" | "cutOf">,
): Promise<void> {
  const held = await findHeld(container, sources);
  if (held.length === 0) return;
  throw new DockerwallError(
    "NOT_ENFORCED",
    `container ${JSON.stringify(container.name)} is NOT released: ${held.join(", ")}; see the daemon's log, and run dockerwall release again`,
  );
}
