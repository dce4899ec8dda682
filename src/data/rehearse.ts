// What the data plane knows of a container's name or packet, found by the very code that decides on them, but without
// opening anything. What follows from it is decided in src/core/path.

import type { AskerIndex } from "../core/askers/index-of-askers.ts";
import type { Membership, Standing } from "../core/askers/standing.ts";
import { createDiscovery } from "../core/dns/discovery.ts";
import { addressQuery, readAddressAnswer } from "../core/dns/probe.ts";
import { nameFromPlainText } from "../core/dns/wire/name.ts";
import { types } from "../core/dns/wire/record-types.ts";
import { familyOf, type IpAddress } from "../core/model/address.ts";
import type { Topology } from "../core/model/topology.ts";
import { exampleOf, openServices, renderOpenPorts } from "../core/path/open-ports.ts";
import {
  type AskedService,
  judgeAddress,
  judgeName,
  mostTelling,
  noEntry,
  type PolicyFinding,
} from "../core/path/policy.ts";
import type { PathReading, ReadAnswer, ReadPacket } from "../core/path/reading.ts";
import { type Destination, outside, sentTo, type Way } from "../core/path/way.ts";
import type { ExplainTarget } from "../core/policy/target.ts";
import { epochMs } from "../edge/kernel/monotonic.ts";
import type { Admission } from "./admission.ts";
import type { Answerer } from "./answerer.ts";
import { membershipsOf } from "./worker/view.ts";

export interface RehearsalOptions {
  readonly admission: Admission;
  readonly answerer: Pick<Answerer, "rehearse">;
  readonly index: Pick<AskerIndex, "standingOfSource">;
  readonly standing: Standing;
  /** All of the container's own. */
  readonly addresses: readonly IpAddress[];
  /** Docker's names: those of an open container are answered by Docker itself. */
  readonly topology: Topology;
  readonly target: ExplainTarget;
  /** Where the container's own /etc/hosts has the name. */
  readonly hosts: readonly IpAddress[];
  /** Which way the container's packet would take. */
  readonly wayTo: (destination: Destination) => Way;
  /** By the clock that grants and lists end by. */
  readonly nowMs: number;
}

/** What stands in the way of a target, or lets it pass. */
export async function readPath(given: RehearsalOptions): Promise<PathReading> {
  const { standing, hosts } = given;
  // A name that is not looked up opens nothing, and nothing is known by it.
  const target = hosts.length === 0 ? given.target : { ...given.target, name: undefined };
  const options = { ...given, target };
  const memberships = membershipsOf(standing);
  const answers = target.name === undefined ? [] : await answersFor(options, memberships, target.name);
  const found = [...hosts, ...answers.flatMap(({ addresses }) => addresses)];
  const destinations = target.address === undefined ? found : [target.address];
  const unsure = standing.kind === "guarded" && standing.mayLose;
  return {
    standing: unsure ? "unknown" : standing.kind,
    homes: memberships.map(({ networkId }) => networkId),
    name:
      target.name === undefined
        ? undefined
        : inTheTimeOfPeople(judgeName(memberships, target.name, undefined, askedIn(options))),
    hosts,
    answers,
    packets: destinations.map((destination) => readPacket(options, memberships, sentTo(destination))),
    outward: options.wayTo({ ...target, address: outside[4] }),
  };
}

function askedIn({ target, nowMs }: RehearsalOptions): AskedService {
  return { ...target, nowMs };
}

function readPacket(
  options: RehearsalOptions,
  memberships: readonly Membership[],
  destination: IpAddress,
): ReadPacket {
  const { ipProtocol, port } = options.target;
  const way = options.wayTo({ address: destination, ipProtocol, port });
  if (!("source" in way)) return { destination, way, ownsSource: true, policy: noEntry };
  const { source } = way;
  // A floating address is the container's too, and the engine has not told of it.
  const all = memberships.some(({ addresses }) => addresses.includes(source))
    ? memberships
    : membershipsOf(options.index.standingOfSource(source));
  const its = all.filter(({ addresses }) => addresses.includes(source));
  const others = memberships.filter(({ networkId }) => its.every((each) => each.networkId !== networkId));
  const { policy, isOpen } = judgePacket(options, its, { source, destination });
  const elsewhere = others.filter((membership) => isOpenFrom(options, membership, destination));
  return {
    destination,
    way,
    ownsSource: its.length > 0,
    policy: inTheTimeOfPeople({ ...policy, elsewhere: elsewhere.map(({ networkId }) => networkId) }),
    isOpen,
  };
}

function isOpenFrom(options: RehearsalOptions, membership: Membership, destination: IpAddress): boolean {
  const source = membership.addresses.find((address) => familyOf(address) === familyOf(destination));
  // Nothing leaves by an internal network, whatever its list says.
  const network = options.topology.networks.find(({ id }) => id === membership.networkId);
  if (source === undefined || network?.internal === true) return false;
  const { reason } = judgePacket(options, [membership], { source, destination }).policy;
  return reason === "entry" || reason === "no-lookup";
}

/** By the name that was asked for, as a lookup now would open it, and by what is open without one. */
function judgePacket(
  options: RehearsalOptions,
  its: readonly Membership[],
  { source, destination }: { readonly source: IpAddress; readonly destination: IpAddress },
): Required<Pick<ReadPacket, "policy" | "isOpen">> {
  const { admission, target, nowMs } = options;
  const names = target.name === undefined ? admission.namesOf(source, destination) : [target.name];
  const led = { address: destination, inside: admission.isInside(destination), names };
  const open = target.port === undefined ? its.flatMap(({ policy }) => openServices(policy, led, nowMs)) : [];
  const sent =
    target.port === undefined ? exampleOf(open, target) : { protocol: target.ipProtocol, port: target.port };
  const packet = { source, destination, ...sent };
  const byAddress = judgeAddress(
    admission.verdict(packet, its),
    its.map(({ policy }) => policy),
    admission.secondsLeft(packet),
  );
  const byName =
    target.name === undefined
      ? []
      : [judgeName(its, target.name, destination, { ...askedIn(options), inside: led.inside })];
  const policy = mostTelling([...byName, byAddress]);
  const ports =
    target.port === undefined && policy.reason === "entry" ? renderOpenPorts(open, target) : undefined;
  return {
    policy: {
      ...policy,
      names: target.name === undefined ? names : [],
      ...(ports === undefined ? {} : { ports }),
    },
    isOpen: byAddress.reason === "entry",
  };
}

function inTheTimeOfPeople(finding: PolicyFinding): PolicyFinding {
  const { by } = finding;
  if (by?.endsAtMs === undefined) return finding;
  return { ...finding, by: { ...by, endsAtMs: epochMs(by.endsAtMs) } };
}

async function answersFor(
  options: RehearsalOptions,
  memberships: readonly Membership[],
  name: string,
): Promise<readonly ReadAnswer[]> {
  if (memberships.length === 0) return answersOfDocker(options, name);
  const { answerer } = options;
  const families = new Set(memberships.flatMap(({ addresses }) => addresses.map(familyOf)));
  const wanted = [...(families.has(4) ? ["A" as const] : []), ...(families.has(6) ? ["AAAA" as const] : [])];
  return Promise.all(
    wanted.map(async (type) => {
      const rehearsed = await answerer.rehearse(addressQuery(name, type), memberships);
      if (rehearsed === undefined) return { type, ...noAnswer };
      const { rcode, addresses, ttlSeconds } = readAddressAnswer(rehearsed.bytes);
      if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return { type, ...noAnswer };
      // In audit mode the answer keeps them all the same.
      const refused = rehearsed.refused.filter((address) => !addresses.includes(address));
      return { type, rcode, addresses, refused, ttlSeconds };
    }),
  );
}

/** What Docker knows by itself; all else that an open container asks it goes to resolvers outside. */
function answersOfDocker({ topology, addresses }: RehearsalOptions, name: string): readonly ReadAnswer[] {
  const qname = nameFromPlainText(name);
  if (qname === undefined) return [];
  const discovery = createDiscovery(topology);
  return (["A", "AAAA"] as const).flatMap((type) => {
    const question = { name, qname, type: type === "A" ? types.a : types.aaaa };
    const found = discovery.find(question, { networkIds: [], addresses }, () => 0);
    if (found?.kind !== "addresses") return [];
    return [
      { type, rcode: "NOERROR", addresses: found.addresses, refused: [], ttlSeconds: undefined } as const,
    ];
  });
}

const noAnswer = { rcode: "SERVFAIL", addresses: [], refused: [], ttlSeconds: undefined } as const;
