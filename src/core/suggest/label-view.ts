// What lists say of what a network's containers have done, as `suggest` and `replay` judge by them. Nothing is decided
// here: lookups are judged by what answers them, and packets by the model that explains them.

import { joinDecisions } from "../askers/decided.ts";
import {
  isNeverOutside,
  type JudgedAddress,
  judgeAddress as judgeAnswer,
  leadsInside,
} from "../dns/address-filter.ts";
import { codeOfType, isServedType } from "../dns/wire/record-types.ts";
import { addressBytes, hostPrefix, type IpAddress, type Prefix } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { Service } from "../model/service.ts";
import { type DecidedName, leadFilter } from "../path/leads.ts";
import {
  decideFrom,
  judgeAddress,
  judgeName,
  mostTelling,
  noEntry,
  type PolicyFinding,
} from "../path/policy.ts";
import { renderStep } from "../path/sentence.ts";
import type { PathEnd } from "../path/verdict.ts";
import { isClosed, type Policy } from "../policy/decide/policy.ts";
import { decideName } from "../policy/decide.ts";
import { compileList, type EntryList } from "../policy/entry-list.ts";
import type { NeedsContext } from "./needs-context.ts";
import type { SeenConnection, SeenLookup } from "./observed.ts";
import { type Around, walkerFor } from "./seen-walk.ts";

/** What answers may lead to on this host, beside private addresses. */
export interface Inside extends Around {
  /** The host's own addresses and the subnets of the engine's networks. */
  readonly own: readonly Prefix[];
  readonly isHost: (address: IpAddress) => boolean;
  readonly isInside: (address: IpAddress) => boolean;
  /** Whether a lookup of its name opens the way of a packet now; without it each name is judged as if it were looked up. */
  readonly isOpen?: (connection: SeenConnection) => boolean;
}

export function insideOf(around: Around): Inside {
  const host = new Set(around.hostAddresses);
  const neighbours = around.topology.networks
    .flatMap(({ subnets }) => subnets)
    .filter(({ length }) => length > 0);
  const own = [...around.hostAddresses.map(hostPrefix), ...neighbours];
  return {
    ...around,
    own,
    isHost: (address) => host.has(address),
    isInside: (address) => leadsInside(own, addressBytes(address)),
  };
}

/** The view of one network's lists, and what it is made of, for judging by several of them. */
export interface LabelView extends Omit<NeedsContext, "takenBy"> {
  readonly policy: Policy;
  /** Codes of the types that its label adds. */
  readonly types: ReadonlySet<number>;
  /**
   * Where a packet of the connection would end, as if nothing were audited.
   * @param elsewhere ids of the container's other networks whose lists would let it pass from there
   */
  readonly meets: (connection: SeenConnection, elsewhere?: readonly string[]) => PathEnd;
}

/** Judges by these lists what a network's containers have done, by the functions that answer lookups and walk packets. */
export function labelView(
  network: GuardedNetwork,
  lists: readonly EntryList[],
  inside: Inside,
  nowMs: number,
): LabelView {
  const policy: Policy = { network: network.name, lists: lists.map(compileList) };
  const types = new Set(network.labels.types);
  const walked = walkerFor({ ...network, lists }, inside);
  const meets: LabelView["meets"] = (connection, elsewhere = []) => {
    // Only a name whose answer opens the address is one by which a packet passes.
    const names = connection.names.filter(
      (name) => leadOf([namedBy(policy, name, nowMs)], connection.destination, inside, nowMs) === "opened",
    );
    const finding = findingFor(policy, { ...connection, names }, inside, nowMs);
    // Where another lookup would not help, what holds it behind the lists does.
    if (finding.reason === "no-lookup") {
      const behind = walked(connection, { ...finding, reason: "entry" });
      if (!isThrough(behind)) return behind;
    }
    return walked(connection, { ...finding, elsewhere });
  };
  return {
    policy,
    types,
    servicesOf: (name) => servicesOf(policy, name, nowMs),
    servesType(name, type) {
      const decision = decideName(policy, name, nowMs);
      return isServedType(codeOfType(type) ?? 0, decision.allowed && decision.exact, types);
    },
    meets,
    allows: (connection) => isThrough(meets(connection)),
    whyNever(connection) {
      if (isClosed(policy)) return renderStep("unreadable", network.name);
      const { verdict, step } = walked(connection, { ...noEntry, reason: "entry" });
      if (isThrough({ verdict }) || step === "host") return undefined;
      return renderStep(step, network.name);
    },
    isHost: inside.isHost,
    isInside: inside.isInside,
    leadsTo(name, address, added = {}) {
      const decided = namedBy(withAddress(policy, address, added.address), name, nowMs);
      return leadOf([withServices(decided, added.name)], address, inside, nowMs) !== "refused";
    },
    unfit: (address) =>
      isNeverOutside(addressBytes(address))
        ? "link-local, metadata, multicast and broadcast addresses are never suggested"
        : undefined,
  };
}

/** What all of a container's networks together say of a lookup that was answered like this one. */
export function answersBy(
  views: readonly Pick<LabelView, "policy" | "types">[],
  { domain, type, addresses }: Pick<SeenLookup, "domain" | "type" | "addresses">,
  inside: Inside,
  nowMs: number,
): "answered" | "denied" | "not-served" | "refused" {
  const decided = views.map(({ policy }) => namedBy(policy, domain, nowMs));
  const decision = joinDecisions(decided);
  if (!decision.allowed) return "denied";
  // The network on whose behalf it is looked up is the first that allows it.
  const extra = views.find((_, index) => decided[index]?.decision.allowed === true)?.types ?? new Set();
  if (type !== undefined && !isServedType(codeOfType(type) ?? 0, decision.exact, extra)) return "not-served";
  const leads = (address: IpAddress): boolean => leadOf(decided, address, inside, nowMs) !== "refused";
  return addresses.length === 0 || addresses.some(leads) ? "answered" : "refused";
}

function findingFor(
  policy: Policy,
  connection: SeenConnection,
  { isInside, isOpen = () => true }: Inside,
  nowMs: number,
): PolicyFinding {
  const { asker, destination, ipProtocol, port, names } = connection;
  const inside = isInside(destination);
  const packet = { source: asker, destination, ipProtocol, port, inside };
  const decision = decideFrom([{ addresses: [asker], policy }], packet, names, nowMs);
  const byAddress = judgeAddress(decision, [policy], isOpen(connection) ? 1 : undefined);
  if (decision.allowed || port === undefined) return byAddress;
  const byName = names.map((name) =>
    judgeName([{ policy }], name, destination, { ipProtocol, port, nowMs, inside }),
  );
  return mostTelling([...byName, byAddress]);
}

function namedBy(policy: Policy, name: string, nowMs: number): DecidedName {
  return { policy, decision: decideName(policy, name, nowMs) };
}

/** The name as it would be with an entry more, for these services. */
function withServices(decided: DecidedName, services: readonly Service[] = []): DecidedName {
  if (services.length === 0) return decided;
  const { policy, decision } = decided;
  const term = { services, within: undefined, endsAtMs: undefined };
  const before = decision.allowed ? decision.terms : [];
  const added = {
    ...({ allowed: true, services, exact: true, endsAtMs: undefined, by: [] } as const),
    terms: [...before, term],
  };
  return { policy, decision: added };
}

/** The lists as they would be with entries more, for these services of an address. */
function withAddress(policy: Policy, address: IpAddress, services: readonly Service[] = []): Policy {
  if (services.length === 0) return policy;
  const entries = services.map(
    (service) => ({ kind: "prefix", prefix: hostPrefix(address), service, negated: false }) as const,
  );
  const list = compileList({ id: -1, source: "", digest: "", endsAtMs: undefined, entries });
  return { ...policy, lists: [...policy.lists, list] };
}

function leadOf(
  decided: readonly DecidedName[],
  address: IpAddress,
  { own, isHost }: Inside,
  nowMs: number,
): JudgedAddress["verdict"] {
  const filter = leadFilter({ own, isHost, decided: () => decided, nowMs });
  return judgeAnswer(filter, address, addressBytes(address)).verdict;
}

/** A lookup that is answered in its server's place has not arrived. */
function isThrough({ verdict }: Pick<PathEnd, "verdict">): boolean {
  return verdict === "passes";
}

function servicesOf(policy: Policy, name: string, nowMs: number): readonly Service[] {
  const decision = decideName(policy, name, nowMs);
  return decision.allowed ? decision.services : [];
}
