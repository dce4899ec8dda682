// What `explain` says of the lookups behind a target: whether one of the container's own is in force, and who else made it.

import type { ClassifiedNetwork } from "../../../core/classify/networks.ts";
import { setNames } from "../../../core/firewall/names.ts";
import { parseComment, readableDomain } from "../../../core/grants/comment.ts";
import { askerSets } from "../../../core/grants/entry-index.ts";
import { namesReader } from "../../../core/journal/lookups.ts";
import { familyOf, type IpAddress } from "../../../core/model/address.ts";
import type { ExplainReport } from "../../../core/model/report/explain.ts";
import { type Container, shortId } from "../../../core/model/topology.ts";
import type { Explained } from "../../../core/path/explained.ts";
import type { PathReading } from "../../../core/path/reading.ts";
import type { ExplainTarget } from "../../../core/policy/target.ts";
import { labelView } from "../../../core/suggest/label-view.ts";
import { listsOf } from "../../../core/suggest/lists.ts";
import { neighbourLookup } from "../../../core/suggest/neighbour-lookup.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../../edge/kernel/ipset/message.ts";
import { epochMs } from "../../../edge/kernel/monotonic.ts";
import type { History } from "../../history/history.ts";
import { type HostSources, insideNow } from "../context/host-now.ts";
import type { InForce } from "../context/in-force.ts";

export interface ExplainedLookupSources extends HostSources {
  readonly sets: KernelSets;
  readonly history: Pick<History, "lookups" | "namesOf">;
}

/** An explanation, and what it was made of. */
export interface ExplainedTarget {
  /** The container whose network it is. */
  readonly holder: Container;
  readonly target: ExplainTarget;
  readonly reading: PathReading;
  readonly explained: Explained;
}

type Lookups = Pick<ExplainReport, "lookupDue" | "lookedUpBy">;

export async function lookupsInForce(
  asked: ExplainedTarget,
  inForce: InForce,
  sources: ExplainedLookupSources,
): Promise<Lookups> {
  const { target, explained } = asked;
  if (target.name !== undefined) return lookupDue(asked, target.name, inForce, sources);
  const network = inForce.classification.guarded.find(({ name }) => name === explained.network);
  const isUnknown = explained.step === "no-entry" && explained.names.length === 0;
  if (network === undefined || target.address === undefined || !isUnknown) return {};
  return lookedUpBy({ ...asked, network, destination: target.address }, inForce, sources);
}

/** Of a name that passes by an entry for it: a lookup must have opened its addresses first. */
async function lookupDue(
  { holder, reading, explained }: ExplainedTarget,
  name: string,
  { classification }: InForce,
  { sets, history }: ExplainedLookupSources,
): Promise<Lookups> {
  const { hosts, packets, homes } = reading;
  if (explained.step !== "entry" || hosts.length > 0 || packets.some(({ isOpen }) => isOpen)) return {};
  const its = classification.guarded.filter(({ id }) => homes.includes(id));
  const leaves = its.filter(({ name: network }) => network === explained.network);
  if ((leaves.length > 0 ? leaves : its).every(({ labels }) => labels.mode === "audit")) return {};
  if (await holdsName(holder, name, sets, history)) return {};
  const times = history
    .lookups()
    .filter(({ container, domain, allowed }) => container?.id === holder.id && domain === name && allowed)
    .map(({ lastSeenMs }) => lastSeenMs);
  return { lookupDue: times.length === 0 ? {} : { lastMs: epochMs(Math.max(...times)) } };
}

/** Whether an address is open to the container by this name, be it one that no lookup would tell any more. */
async function holdsName(
  { id, endpoints }: Container,
  name: string,
  sets: KernelSets,
  history: ExplainedLookupSources["history"],
): Promise<boolean> {
  const askers = new Set(endpoints.flatMap(({ addresses }) => addresses));
  const namesOf = namesReader(history.namesOf);
  const isOfName = ({ key, comment = "" }: ListedEntry): boolean => {
    if (key.kind !== "ip-port-ip" || !askers.has(key.second)) return false;
    const noted = parseComment(comment)?.domain ?? comment;
    return noted === readableDomain(name) || namesOf(id, key.first).includes(name);
  };
  for (const set of askerSets)
    for await (const entries of sets.portions(setNames[set])) if (entries.some(isOfName)) return true;
  return false;
}

interface TriedAddress extends Pick<ExplainedTarget, "holder" | "target"> {
  readonly network: ClassifiedNetwork;
  readonly destination: IpAddress;
}

function lookedUpBy(
  { holder, target, network, destination }: TriedAddress,
  inForce: InForce,
  { history, ...host }: ExplainedLookupSources,
): Lookups {
  const { classification, topology, quarantine, uptimeMs } = inForce;
  const addresses = holder.endpoints.find(({ networkId }) => networkId === network.id)?.addresses ?? [];
  const asker = addresses.find((each) => familyOf(each) === familyOf(destination));
  if (asker === undefined) return {};
  const lists = listsOf(network, holder.id, classification);
  const view = labelView(network, lists, insideNow({ topology }, host, quarantine), uptimeMs);
  const container = { id: shortId(holder.id), name: holder.name };
  const { ipProtocol, port } = target;
  const tried = { asker, container, destination, ipProtocol, port, allowed: false, packets: 1 };
  const found = neighbourLookup(
    { destination, networkId: network.id, containerId: holder.id },
    topology.containers,
    namesReader(history.namesOf),
    (name) => view.meets({ ...tried, names: [name] }).verdict === "passes",
  );
  return found === undefined ? {} : { lookedUpBy: found };
}
