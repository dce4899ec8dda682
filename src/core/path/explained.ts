// One answer out of the ways of all packets that a target stands for: a name may have many addresses, and a client goes
// on to the next until one answers.

import { isDenialLookedUp } from "../askers/audited.ts";
import { changeFor, type PathQuestion } from "./change.ts";
import type { FoundEntry } from "./policy.ts";
import { lackingFamily, type ReadPacket } from "./reading.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Change, Path, PathEnd, PathStep, PathVerdict } from "./verdict.ts";
import type { Sender } from "./walk/leaving.ts";
import { walk } from "./walk.ts";
import type { Way } from "./way.ts";

export interface Explained extends PathEnd {
  /** The network that decides: it leaves by this one. */
  readonly network: string | undefined;
  readonly change: Change | undefined;
  /** The entry that decides. */
  readonly by: FoundEntry | undefined;
  /** The names that led the container to the address. */
  readonly names: readonly string[];
  /** What is left of the lease, for an address. */
  readonly secondsLeft: number | undefined;
  readonly paths: readonly Path[];
}

/** The most telling first. */
const order: readonly PathVerdict[] = [
  "passes",
  "not-ours",
  "unknown",
  "captured",
  "refused",
  "dropped",
  "no-route",
];

/** Of what no list has judged: there is no network to name, and nothing to change. */
export const unjudged = {
  network: undefined,
  change: undefined,
  by: undefined,
  names: [],
  secondsLeft: undefined,
} as const satisfies Partial<Explained>;

export function explainPath(surroundings: Surroundings, question: PathQuestion): Explained {
  const { quarantined, reading } = question;
  const sender: Sender = { quarantined, standing: reading.standing, homes: reading.homes };
  const walked = reading.packets.map((packet) => ({
    packet,
    path: {
      ...placeOf(surroundings, packet.way),
      destination: packet.destination,
      ...withPorts(walk(surroundings, sender, question.target, packet), packet),
    },
  }));
  const decisive = order
    .map((verdict) => walked.find(({ path }) => path.verdict === verdict))
    .find((each) => each !== undefined);
  const judgement = decisive?.path ?? {
    ...judgeLookup(surroundings, question),
    ...placeOf(surroundings, reading.outward),
  };
  // What is not looked up is nothing but an address, and only an entry for that would help.
  const target =
    reading.hosts.length === 0
      ? question.target
      : { ...question.target, name: undefined, address: decisive?.packet.destination };
  const finding = decisive?.packet.policy ?? reading.name;
  /** Behind the lists there may be what no entry turns. */
  const lastStep = (step: PathStep): PathStep => {
    if (decisive === undefined || !listSteps.has(step)) return step;
    const { packet } = decisive;
    const listed = { ...packet, policy: { ...packet.policy, reason: "entry" } as const };
    const behind = walk(surroundings, sender, question.target, listed);
    return behind.verdict === "passes" ? step : behind.step;
  };
  const told = tellsEntry(judgement.step) ? finding : undefined;
  return {
    verdict: judgement.verdict,
    step: judgement.step,
    ...(judgement.ports === undefined ? {} : { ports: judgement.ports }),
    network: judgement.network,
    change: changeFor(
      surroundings,
      { ...question, target },
      { ...judgement, step: lastStep(judgement.step), packet: decisive?.packet, finding },
    ),
    by: told?.by,
    names: told?.names ?? [],
    secondsLeft: told?.secondsLeft,
    paths: walked.map(({ path }) => path),
  };
}

/** What passes by an entry passes on the ports that the lists open. */
function withPorts(end: PathEnd, { policy: { ports } }: ReadPacket): PathEnd {
  return end.step === "entry" && ports !== undefined ? { ...end, ports } : end;
}

/** Where the lists hold a packet. */
const listSteps: ReadonlySet<PathStep> = new Set([
  "no-entry",
  "unreadable",
  "taken-away",
  "port",
  "no-lookup",
  "other-list",
]);

function placeOf({ networks }: Surroundings, way: Way): Pick<Path, "source" | "network"> {
  if (!("source" in way)) return { source: undefined, network: undefined };
  const network = way.kind === "bridge" ? networks.find(({ bridge }) => bridge === way.bridge) : undefined;
  return { source: way.source, network: network?.name };
}

/** Nothing is ever sent: the lookup of the name gives no address. */
function judgeLookup(
  { guarded, networks }: Surroundings,
  { quarantined, reading, target, isAnsweredElsewhere }: PathQuestion,
): PathEnd {
  if (quarantined) return { verdict: "dropped", step: "quarantine" };
  if (reading.standing === "open") return { verdict: "not-ours", step: "open-network" };
  if (reading.standing === "unknown") return { verdict: "unknown", step: "not-known" };
  if (isAnsweredElsewhere === true) return { verdict: "unknown", step: "other-resolver" };
  if (reading.answers.some(({ rcode }) => rcode === "SERVFAIL"))
    return reading.outward.kind === "none"
      ? { verdict: "no-route", step: "no-way" }
      : { verdict: "unknown", step: "no-answer" };
  // Docker's own names are nobody's to allow: no container of its networks is called so.
  if (target.name?.includes(".") === false) return { verdict: "refused", step: "no-such-name" };
  const { reason = "no-entry" } = reading.name ?? {};
  const homes = reading.homes.map((id) => ({
    internal: networks.find((network) => network.id === id)?.internal === true,
    audit: guarded.get(id)?.audit === true,
  }));
  const isDenied = reason === "no-entry" || reason === "taken-away" || reason === "unreadable";
  if (!isDenialLookedUp(homes) && isDenied) return { verdict: "refused", step: reason };
  const isPrivate = reading.answers.some(({ refused }) => refused.length > 0);
  if (isPrivate) return { verdict: "refused", step: "no-address" };
  return lackingFamily(reading) === undefined
    ? { verdict: "refused", step: "no-such-name" }
    : { verdict: "no-route", step: "no-family" };
}

function tellsEntry(step: PathStep): boolean {
  return [
    "entry",
    "no-entry",
    "unreadable",
    "taken-away",
    "port",
    "no-lookup",
    "other-list",
    "audit",
    "no-address",
    "no-such-name",
    "no-family",
  ].includes(step);
}
