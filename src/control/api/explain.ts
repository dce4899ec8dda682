// The control plane's part of `explain`: what the data plane reads, walked through what is on this host, with what the
// kernel holds and which flows there are.

import { type DataRead, fields, text } from "../../core/api/request-checks.ts";
import { isOnHostNetwork, networkHolder } from "../../core/classify/containers/holder.ts";
import { setNames } from "../../core/firewall/names.ts";
import { misnamedAllow } from "../../core/labels/slips.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { ExplainReport } from "../../core/model/report/explain.ts";
import type { Container, Topology } from "../../core/model/topology.ts";
import { type Explained, explainPath, unjudged } from "../../core/path/explained.ts";
import { addressesInHosts } from "../../core/path/files/hosts.ts";
import { explainFromHost } from "../../core/path/from-host.ts";
import type { PathReading } from "../../core/path/reading.ts";
import { renderChange, renderEnd } from "../../core/path/sentence.ts";
import { isOn, type Surroundings, surroundingsOf } from "../../core/path/surroundings.ts";
import type { Change } from "../../core/path/verdict.ts";
import { type ExplainTarget, parseTarget } from "../../core/policy/target.ts";
import { DockerwallError } from "../../errors.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import { findContainer } from "./context/find-container.ts";
import { hostNow } from "./context/host-now.ts";
import type { InForce } from "./context/in-force.ts";
import { route } from "./context/route.ts";
import { kernelEntries, openFlows } from "./explain/in-kernel.ts";
import { type ExplainedTarget, lookupsInForce } from "./explain/lookups.ts";
import { lookupAt, type OwnLookup, readOwnLookup, readTarget, tellOwnLookup } from "./explain/own-lookup.ts";
import { type ExplanationSources, explanationSources } from "./explain/sources.ts";

const explainRequest = fields({
  container: text,
  /** `NAME|ADDRESS[:PORT][/tcp|/udp]` */
  target: text,
});

export type ExplainRequest = DataRead<typeof explainRequest>;

export const explain = route(explainRequest, (parts) => async (request) => {
  await planeOf(parts).flush();
  return explainTarget(request, inForceOf(parts), explanationSources(parts));
});

/** @throws DockerwallError BAD_ENTRY, NOT_FOUND */
export async function explainTarget(
  { container: name, target: written }: ExplainRequest,
  inForce: InForce,
  sources: ExplanationSources,
): Promise<ExplainReport> {
  const { topology, quarantine } = inForce;
  const container = findContainer(topology, name);
  const target = parseTarget(written);
  if ("problem" in target) throw new DockerwallError("BAD_ENTRY", target.problem);
  const holder = holderOf(container, topology);
  const addresses = holder.endpoints.flatMap((endpoint) => endpoint.addresses);
  const surroundings = surroundingsOf(topology, inForce.classification, {
    quarantine,
    cutOff: cutOffIn(sources),
    ...hostNow(sources),
  });
  const hosts = hostsOf(container, target, sources);
  const outOfReach = isOnHostNetwork(holder)
    ? explainFromHost(surroundings, target, hosts)
    : withoutNetwork(holder);
  const own =
    outOfReach === undefined && hosts.length === 0
      ? await ownLookupOf({ container, holder, target }, inForce, sources)
      : undefined;
  const asked = { containerId: holder.id, addresses, target, hosts };
  const read =
    outOfReach === undefined
      ? await readTarget(asked, own, sources)
      : { target, reading: unread, isAnsweredElsewhere: false };
  const { reading } = read;
  const around = await beyond(reading, surroundings, sources);
  const quarantined = quarantine.has(holder.id);
  const explained = outOfReach ?? explainPath(around, { ...read, container: holder.name, quarantined });
  const networks = topology.networks.filter(({ id }) => reading.homes.includes(id)).map((each) => each.name);
  const change = changeOf(explained, [container, holder]);
  const scope = {
    askers: new Set(addresses),
    destinations: new Set<string>(explained.paths.map(({ destination }) => destination)),
    sent: read.target,
  };
  return {
    ...explained,
    change,
    container: container.name,
    target: written,
    because: renderEnd(explained, explained.network ?? networks.join(", ")),
    advice: change === undefined ? undefined : renderChange(change),
    problems: labelProblems([container, holder], inForce),
    quarantined,
    networks,
    ...(await lookupsInForce({ ...read, holder, explained }, inForce, sources)),
    hosts: reading.hosts,
    ...tellOwnLookup(own, read, target),
    answers: reading.answers,
    entries: await kernelEntries(scope, sources),
    flows: openFlows(scope, sources),
  };
}

/** By the kernel's own sets: nobody has put these there under a name. */
function cutOffIn({ sets }: ExplanationSources): ReadonlySet<IpAddress> {
  const entries = [setNames.quarantine4, setNames.quarantine6].flatMap((name) => sets.list(name));
  return new Set(
    entries.flatMap(({ key, comment }) =>
      key.kind === "net" && comment === undefined ? key.prefix.address : [],
    ),
  );
}

/** With what the engine drops by itself, where a packet is for another network than the one that it leaves by. */
async function beyond(
  { packets }: PathReading,
  surroundings: Surroundings,
  { directAccess }: ExplanationSources,
): Promise<Surroundings> {
  const { networks } = surroundings;
  const leadsElsewhere = packets.some(({ destination, way }) =>
    networks.some(
      (network) =>
        way.kind === "bridge" &&
        network.bridge !== undefined &&
        network.bridge !== way.bridge &&
        isOn(network, destination),
    ),
  );
  return leadsElsewhere ? { ...surroundings, directAccess: await directAccess() } : surroundings;
}

/** Undefined for what is not looked up, and for a container whose lookups are none of our business. */
async function ownLookupOf(
  {
    container,
    holder,
    target: { name },
  }: Pick<ExplainedTarget, "holder" | "target"> & {
    readonly container: Container;
  },
  inForce: InForce,
  sources: ExplanationSources,
): Promise<OwnLookup | undefined> {
  const guarded = new Set(inForce.classification.guarded.map(({ id }) => id));
  if (name === undefined || !holder.endpoints.some(({ networkId }) => guarded.has(networkId)))
    return undefined;
  return readOwnLookup(sources.resolvConf(container, holder), name, (server) =>
    explainTarget({ container: container.id, target: lookupAt(server) }, inForce, sources),
  );
}

/** Where the container's own /etc/hosts has the name. */
function hostsOf(
  container: Container,
  { name }: ExplainTarget,
  { hostsFile }: ExplanationSources,
): readonly IpAddress[] {
  return name === undefined ? [] : addressesInHosts(hostsFile(container) ?? "", name);
}

/** An entry that is to be written may stand there already, in a label of another name. */
function changeOf({ change }: Explained, containers: readonly Container[]): Change | undefined {
  if (change?.kind !== "entry") return change;
  const problem = containers.map((each) => misnamedAllow({ kind: "container", ...each })).find(Boolean);
  return problem === undefined ? change : { kind: "correct", problem };
}

/** What is wrong with the labels of these containers, and of the networks that they are on. */
function labelProblems(
  containers: readonly Container[],
  { classification: { problems, containers: findings } }: InForce,
): readonly string[] {
  const networkIds = containers.flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId));
  const places = containers.map(({ name }) => `container ${JSON.stringify(name)}, `);
  return [
    ...[...new Set(networkIds)].flatMap((id) => problems.get(id) ?? []),
    ...findings.problems.filter((problem) => places.some((place) => problem.startsWith(place))),
  ];
}

/** The container whose network it uses. @throws DockerwallError NOT_FOUND */
function holderOf(container: Container, { containers }: Topology): Container {
  const holder = networkHolder(container, containers);
  if (holder.running && container.running) return holder;
  const stopped = container.running ? holder : container;
  throw new DockerwallError(
    "NOT_FOUND",
    `container ${JSON.stringify(stopped.name)} does not run, and so has no network: start it first`,
  );
}

const unread: PathReading = {
  standing: "open",
  homes: [],
  name: undefined,
  hosts: [],
  answers: [],
  packets: [],
  outward: { kind: "unknown" },
};

/** Nothing is to be read of a container without a network. */
function withoutNetwork({ endpoints }: Container): Explained | undefined {
  if (endpoints.some(({ addresses }) => addresses.length > 0)) return undefined;
  return { verdict: "no-route", step: "no-network", paths: [], ...unjudged };
}
