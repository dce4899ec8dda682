// From one message of one asker to one answer: gives resolveQuery() its effects. A message that does not come from a
// known guarded container gets an answer that reveals nothing.

import {
  type AskerIndex,
  type Decided,
  decideForEach,
  type GuardedStanding,
  joinDecisions,
  type Membership,
  type Standing,
} from "../core/askers/index-of-askers.ts";
import { contain } from "../core/contain.ts";
import { isPrivatePrefix } from "../core/dns/address-filter.ts";
import { askAlong, type CircleInput, type Circles, findCircles } from "../core/dns/circles.ts";
import { createDiscovery, type DiscoveryAsker } from "../core/dns/discovery.ts";
import { canaryName, rootProblem, rootQuestion } from "../core/dns/probe.ts";
import { asksAsResolver } from "../core/dns/resolve/here.ts";
import type { AnswerGrant } from "../core/dns/resolve/request.ts";
import type { Outcome, Resolution } from "../core/dns/resolve/resolution.ts";
import { resolveQuery } from "../core/dns/resolve.ts";
import { extendedErrors, rcodes } from "../core/dns/wire/codes.ts";
import { payloadLimit, type Transport } from "../core/dns/wire/message.ts";
import { labelCount } from "../core/dns/wire/name.ts";
import { parseQuery, type Query } from "../core/dns/wire/question.ts";
import { nameOfType, recordType, types } from "../core/dns/wire/record-types.ts";
import { respondError, respondNow } from "../core/dns/wire/respond.ts";
import type { Grant } from "../core/grants/grant.ts";
import type { LookupEvent, LookupKind } from "../core/journal/lookup-event.ts";
import { familyOf, type IpAddress, type Prefix, prefixContains } from "../core/model/address.ts";
import type { GuardedNetwork } from "../core/model/guarded-network.ts";
import type { LookupTrouble, ResolverReport } from "../core/model/report.ts";
import type { Topology } from "../core/model/topology.ts";
import type { Upstream } from "../core/model/upstream.ts";
import { leadFilter } from "../core/path/leads.ts";
import { type Decision, isAboveAllowed, termsAt } from "../core/policy/decide.ts";
import { monotonicMs } from "../edge/kernel/monotonic.ts";
import type { DnsClient } from "../edge/listener/udp.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { DataPlaneSettings } from "../planes/messages.ts";
import type { Admission } from "./admission.ts";
import { AnswerMemo, type FinishedAnswer, type MemoEpoch } from "./answer-memo.ts";
import { countLookup, countRepeated } from "./lookup-counts.ts";
import { createRateLimited } from "./rate-limited.ts";
import { createLookups } from "./resolvers.ts";
import { createReadingWaits, readingWithinMs } from "./waiting/engine-reading.ts";
import { createWaits } from "./waiting/waits.ts";

export interface AnswererOptions {
  readonly settings: DataPlaneSettings;
  readonly admission: Admission;
  readonly indexNow: () => AskerIndex;
  readonly ownAddresses: () => readonly Prefix[];
  readonly onLookup: (event: LookupEvent) => void;
  /** @param kind the same object for all lookups that are answered from one */
  readonly onRepeatedLookup: (kind: LookupKind, atMs: number) => void;
  readonly onProblem: (problem: string) => void;
  /** Somebody whom, or something which, we do not know yet: the engine must be read again. */
  readonly onUnknown: (what: "asker" | "name") => void;
  /** Whether there is a container that the engine has not told of, whose names we cannot know. */
  readonly mayHaveCome: () => boolean;
}

type CirclesAmong = Omit<CircleInput, "own">;

/** To be called exactly once; undefined is silence. */
type Reply = (answer: Uint8Array | undefined) => void;

type Client = Pick<DnsClient, "address" | "isGone">;

/** How a lookup ended, and what the policies say of its name. */
interface Judged extends Resolution {
  readonly decision: Decision;
  /** On whose behalf the name was looked up. */
  readonly speaker: Membership | undefined;
}

/** A question, and who asks it. */
interface Lookup {
  readonly query: Query;
  readonly transport: Transport;
  /** For fairness. */
  readonly asker: string;
  readonly memberships: readonly Membership[];
  /** Where its asker stands, whenever it is asked. */
  readonly standing: () => Standing;
  /** By performance.now(). */
  readonly deadlineAtMs: number;
  readonly isGone: (() => boolean) | undefined;
}

/** An answer that nobody gets. */
export type Rehearsed = Pick<Resolution, "bytes" | "refused">;

export interface Answerer {
  /** A message of an asker whose networks are known. */
  answer(request: {
    readonly message: Uint8Array;
    readonly transport: Transport;
    /** Where its asker stands, whenever it is asked. */
    readonly standing: () => Standing;
    /** By performance.now(): whatever it waits for, the answer goes out before its client has given up. */
    readonly arrivedAtMs: number;
    /** True once its client waits no more. */
    readonly isGone?: (() => boolean) | undefined;
    readonly reply: Reply;
  }): void;
  /** A message that came to the host's listener; its sender is known by its address only. */
  fromHost(message: Uint8Array, transport: Transport, client: Client, reply: Reply): void;
  /** Answers that nothing can be said now. */
  fail(message: Uint8Array, transport: Transport, reply: Reply): void;
  useTopology(topology: Topology, guarded: readonly GuardedNetwork[]): void;
  /** More is known of who asks: what waits for it is decided, if it can be by now. */
  reconsider(): void;
  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void;
  /** A reading of the engine that `onUnknown` asked for is over, and its picture is in use. */
  refreshed(): void;
  /** What a message of an asker who stands there would be answered, without opening anything. */
  rehearse(message: Uint8Array, memberships: readonly Membership[]): Promise<Rehearsed | undefined>;
  stats(): ResolverReport;
  /** Why no upstream answers a question for the root; undefined when one does. */
  probeUpstream(): Promise<string | undefined>;
}

/** From a question's arrival to its answer, all waits together; Docker's own resolver gives up after 4 s. */
const answerWithinMs = 3_700;
/** How long of it a lookup waits for its sender to become known. */
const knownWithinMs = 3_500;
/** Whoever asks can make lookups fail at will; the log is not theirs to fill. */
const betweenFailuresMs = 1_000;
/** A resolver in a container asks so with every lookup. */
const betweenResolversMs = 60_000;
/** Most that a client is told: it comes back before its grant has long been forgotten. */
const toldCeilingSeconds = 3_600;

export function createAnswerer(options: AnswererOptions): Answerer {
  const { settings, admission } = options;
  const lookups = createLookups(settings.upstreams, options.onProblem);
  const lease = {
    floorSeconds: settings.leaseFloorSeconds,
    graceSeconds: settings.leaseGraceSeconds,
    ceilingSeconds: toldCeilingSeconds,
  };
  /** Subnets of the engine's networks, guarded or not: whoever is there is this host's business. */
  let neighbours: readonly Prefix[] = [];
  /** Rises with every picture of the engine and its policies, and with other upstreams. */
  let knowledge = 0;
  const epochNow = (): MemoEpoch => ({
    knowledge,
    revocations: admission.revocations,
    own: options.ownAddresses(),
  });
  const memo = new AnswerMemo(lease, epochNow);
  let discovery = createDiscovery({ networks: [], containers: [] });
  const tellFailure = createRateLimited(options.onProblem, () => performance.now(), betweenFailuresMs);
  const tellLookupFailure = (error: unknown): void => tellFailure(`a lookup failed: ${messageOf(error)}`);
  const waits = createWaits(tellLookupFailure);
  let circlesAmong: CirclesAmong = {
    topology: { networks: [], containers: [] },
    guarded: [],
    upstreams: settings.upstreams,
  };
  let circles = lookForCircles({});
  const tellExcess = createRateLimited(options.onProblem, () => performance.now(), betweenFailuresMs);
  const tellResolver = createRateLimited(options.onProblem, () => performance.now(), betweenResolversMs);
  const readingWaits = createReadingWaits({
    ask: () => options.onUnknown("name"),
    nowMs: () => performance.now(),
    onFailure: tellLookupFailure,
  });

  function isHosts(address: IpAddress): boolean {
    return options.ownAddresses().some((own) => prefixContains(own, address));
  }

  /** What may be a circle changes with the picture, and with whom the daemon asks. */
  function lookForCircles(change: Partial<CirclesAmong>): Circles {
    circlesAmong = { ...circlesAmong, ...change };
    return findCircles({ ...circlesAmong, own: options.ownAddresses() });
  }

  async function resolve(
    { query, transport, asker, memberships, standing, deadlineAtMs, isGone }: Lookup,
    admit: (grants: readonly Grant[]) => void,
  ): Promise<Judged> {
    const askedWith = knowledge;
    const nowMs = monotonicMs();
    const { name } = query.question;
    const decided = decideForEach(memberships, name, nowMs);
    const decision = joinDecisions(decided);
    // The network on whose behalf the name is looked up: the first that allows it.
    const speaker = (decided.find((each) => each.decision.allowed) ?? decided[0])?.membership;
    const own = memberships.flatMap(({ addresses }) => addresses);
    const choice = speaker?.labels.upstream;
    const way = circles.allowed(choice, own);
    const ends = decision.allowed ? decision.endsAtMs : undefined;
    const resolution = await resolveQuery({
      query,
      decision,
      audit: memberships.some(({ labels }) => labels.mode === "audit"),
      limit: payloadLimit(query.edns, transport),
      families: new Set(memberships.flatMap(({ addresses }) => addresses.map(familyOf))),
      extraTypes: new Set(speaker?.labels.types),
      filter: leadFilter({
        own: [...options.ownAddresses(), ...neighbours],
        isHost: isHosts,
        decided: () => latest().map(({ membership, ...named }) => ({ ...named, policy: membership.policy })),
        nowMs,
      }),
      lease: ends === undefined ? lease : endingLease(Math.floor((ends - nowMs) / 1000)),
      findLocal: (question) => discovery.find(question, askerOf(memberships), Math.random),
      lookup: (question) =>
        askAlong({
          circles,
          choice,
          asker: own,
          ask: (upstreams) =>
            lookups.lookUp(question, {
              asker,
              networkId: speaker?.networkId ?? "",
              deadlineAtMs,
              isGone,
              choice: upstreams,
            }),
        }),
      circle: "circle" in way ? way.circle : undefined,
      isAboveAllowed: () => memberships.some(({ policy }) => isAboveAllowed(policy, name, nowMs)),
      mayReverse: (address) =>
        memberships.some(({ addresses }) => addresses.some((own) => admission.isOpen(own, address))),
      admit: (grants) => admit(grants.flatMap((grant) => grantsOf(grant, latest(), monotonicMs()))),
    });
    /** An upstream takes its time; what is allowed by now is what counts. */
    function latest(): readonly Decided[] {
      if (askedWith === knowledge) return decided;
      const now = standing();
      return now.kind === "guarded" && !now.mayLose
        ? decideForEach(now.memberships, name, monotonicMs())
        : [];
    }
    return { ...resolution, decision, speaker };
  }

  /** The client of a name whose permission ends is told a TTL that ends with it. */
  function endingLease(leftSeconds: number): typeof lease {
    const told = Math.max(0, leftSeconds - 1);
    return { ...lease, ceilingSeconds: Math.min(lease.ceilingSeconds, told) };
  }

  /** @param keep takes what the same question may be answered for a while */
  async function answerFor(lookup: Lookup, keep: (finished: FinishedAnswer) => void): Promise<Uint8Array> {
    const { query, memberships } = lookup;
    let rightsEndAtMs = Number.POSITIVE_INFINITY;
    let rightsNotedAtMs = Number.POSITIVE_INFINITY;
    const resolution = await resolve(lookup, (grants) => {
      const endAtMs = admission.admit(grants, (address) => networkOf(address, memberships));
      rightsNotedAtMs = performance.now();
      rightsEndAtMs = rightsNotedAtMs + (endAtMs - monotonicMs());
    });
    if (resolution.outcome === "failed") {
      tellFailure(`lookup of ${query.question.name} failed: ${messageOf(resolution.cause)}`);
    }
    countLookup(resolution);
    if (resolution.outcome !== "local" && asksAsResolver(query.question)) {
      tellResolver(
        `${lookup.asker} asks for ${query.question.name === "." ? "the root" : query.question.name} as a resolver does that validates or goes to the root by itself, and gets no answer: let it forward to 127.0.0.11, without DNSSEC validation`,
      );
    }
    if (resolution.excess > 0) {
      tellExcess(`${resolution.excess} addresses of ${query.question.name} were left out of its answer`);
    }
    const event = eventOf(query, resolution);
    if (event !== undefined) options.onLookup({ ...event, atMs: Date.now() });
    const { bytes, outcome, repeats } = resolution;
    if (repeats !== undefined && mayRepeat(lookup))
      keep({ bytes, outcome, repeats, rightsEndAtMs, rightsNotedAtMs, event });
    return bytes;
  }

  /** Answers what the same asker was answered a moment ago. @returns whether it was */
  function repeat(message: Uint8Array, standing: Standing, reply: Reply): boolean {
    const found = standing.kind === "guarded" ? memo.find(standing, message, performance.now()) : undefined;
    if (found === undefined) return false;
    countRepeated(found.outcome);
    if (found.event !== undefined) options.onRepeatedLookup(found.event, Date.now());
    reply(found.bytes);
    return true;
  }

  /** What time alone may change is looked at anew, as is what may become a name of Docker's without a new picture. */
  function mayRepeat({ query: { question }, transport, memberships }: Lookup): boolean {
    const ends = memberships.some(({ policy }) =>
      policy.lists.some(({ endsAtMs }) => endsAtMs !== undefined),
    );
    return !ends && transport === "udp" && question.type !== types.ptr && labelCount(question.qname) > 1;
  }

  /** What is no query has no policy: it is for a server that an entry must name. */
  function noteNoQuery(zone: string | undefined, standing: Standing): void {
    if (zone === undefined || standing.kind !== "guarded") return;
    const [speaker] = standing.memberships;
    const asker = speaker?.addresses[0];
    if (speaker === undefined || asker === undefined) return;
    const { networkId } = speaker;
    const atMs = Date.now();
    options.onLookup({
      networkId,
      asker,
      domain: zone,
      allowed: false,
      trouble: "no-query",
      atMs,
      granted: [],
    });
  }

  /** Whether more knowledge of its asker may turn the decision round: it is not made before that is there. */
  function isUndecided({ question }: Query, standing: GuardedStanding): boolean {
    if (standing.settled || standing.memberships.every(({ labels }) => labels.mode === "audit")) return false;
    // Docker's own names are nobody's to lose.
    if (discovery.find(question, askerOf(standing.memberships), Math.random) !== undefined) return false;
    if (standing.mayLose) return true;
    return !joinDecisions(decideForEach(standing.memberships, question.name, monotonicMs())).allowed;
  }

  /** Nobody is called so yet. */
  function mayBeNew({ question }: Query, { memberships }: GuardedStanding): boolean {
    if (labelCount(question.qname) !== 1 || question.name === "localhost") return false;
    if (discovery.find(question, askerOf(memberships), Math.random) !== undefined) return false;
    return options.mayHaveCome();
  }

  const answerer: Answerer = {
    answer({ message, transport, standing, arrivedAtMs, isGone, reply: replyTo }) {
      let replied = false;
      const reply: Reply = (answer) => {
        if (replied) return;
        replied = true;
        replyTo(answer);
      };
      if (transport === "udp" && repeat(message, standing(), replyTo)) return;
      const query = parseQuery(message);
      if (query.kind === "ignore") {
        reply(undefined);
        return;
      }
      if (query.kind === "reply-now") {
        noteNoQuery(query.zone, standing());
        reply(respondNow(query, payloadLimit(query.edns, transport)));
        return;
      }
      const deadlineAtMs = arrivedAtMs + answerWithinMs;
      const epoch = epochNow();
      let waited = false;
      /** Once only: on a busy machine the next reading may be due before this one is heard of. */
      const waitsForReading = (now: GuardedStanding, leftMs: number): boolean => {
        const asker = budgetOf(now.memberships);
        if (waited || leftMs < readingWithinMs || !mayBeNew(query, now)) return false;
        waited = readingWaits.wait(asker, query.question.name, decide);
        return waited;
      };
      const decide = (): void => contain(decideNow, failed);
      const decideNow = (): void => {
        const now = standing();
        const leftMs = deadlineAtMs - performance.now();
        if (now.kind !== "guarded") answerer.fail(message, transport, reply);
        else if (isUndecided(query, now)) waitToDecide(budgetOf(now.memberships), leftMs);
        else if (!waitsForReading(now, leftMs)) contain(() => answerNow(now), failed);
      };
      /** Without time or a place to wait nothing is decided: nobody is given what may be taken from them. */
      const waitToDecide = (asker: string, leftMs: number): void => {
        options.onUnknown("asker");
        if (leftMs > 0 && waits.wait(asker, leftMs, decide)) return;
        reply(respondUndecided(query, transport));
      };
      const answerNow = async (now: GuardedStanding): Promise<void> => {
        const { memberships } = now;
        const asker = budgetOf(memberships);
        const lookup = { query, transport, asker, memberships, standing, deadlineAtMs, isGone };
        reply(
          await answerFor(lookup, (finished) => {
            if (now.settled && standing() === now) memo.keep(now, message, epoch, finished);
          }),
        );
      };
      const failed = (error: unknown): void => {
        tellLookupFailure(error);
        answerer.fail(message, transport, reply);
      };
      decide();
    },

    fromHost(message, transport, { address, isGone }, reply) {
      const standing = (): Standing => askedBy(address, options.indexNow().standingOfSource(address));
      const question = { message, transport, standing, isGone, arrivedAtMs: performance.now(), reply };
      const { kind } = standing();
      if (kind === "guarded") {
        answerer.answer(question);
      } else {
        // Layer 1 redirects guarded containers only: one whose network we do not know yet has just come.
        if (kind === "unknown") options.onUnknown("asker");
        const again = (): void => answerer.answer(question);
        if (kind === "open" || !waits.wait(address, knownWithinMs, again))
          answerer.fail(message, transport, reply);
      }
    },

    fail(message, transport, reply) {
      const query = parseQuery(message);
      if (query.kind === "ignore") {
        reply(undefined);
        return;
      }
      const limit = payloadLimit(query.edns, transport);
      const extendedError = { code: extendedErrors.other, text: "dockerwall does not know this container" };
      reply(respondError({ head: query, limit, rcode: rcodes.servFail, extendedError }));
    },

    async rehearse(message, memberships) {
      const query = parseQuery(message);
      if (query.kind !== "query") return undefined;
      const deadlineAtMs = performance.now() + answerWithinMs;
      const lookup: Lookup = {
        query,
        transport: "tcp",
        asker: "rehearsal",
        memberships,
        standing: () => ({ kind: "guarded", memberships, settled: true, mayLose: false }),
        deadlineAtMs,
        isGone: undefined,
      };
      return resolve(lookup, () => undefined);
    },

    async probeUpstream() {
      try {
        const problem = rootProblem(await lookups.probe(rootQuestion, "doctor"));
        return problem === undefined ? undefined : (circles.reasonFor(undefined) ?? problem);
      } catch (error) {
        return circles.reasonFor(undefined) ?? messageOf(error);
      }
    },

    refreshed: readingWaits.done,

    reconsider: waits.wake,

    stats: lookups.stats,

    useUpstreams(upstreams) {
      knowledge++;
      lookups.useUpstreams(upstreams);
      circles = lookForCircles({ upstreams });
    },

    useTopology(topology, guarded) {
      knowledge++;
      discovery = createDiscovery(topology);
      circles = lookForCircles({ topology, guarded });
      // Nearly all are private anyway, and every address of every answer is compared with those that are left.
      neighbours = topology.networks
        .flatMap(({ subnets }) => subnets)
        // A driver without addresses of its own tells of a pool of everything.
        .filter((subnet) => subnet.length > 0 && !isPrivatePrefix(subnet));
      lookups.retain(guarded.map(({ id, labels }) => ({ id, choice: labels.upstream })));
      waits.wake();
    },
  };
  return answerer;
}

/** Who waits no longer is told why, and may ask again. */
function respondUndecided(query: Query, transport: Transport): Uint8Array {
  const limit = payloadLimit(query.edns, transport);
  return respondError({ head: query, limit, rcode: rcodes.servFail, extendedError: undecided });
}

const undecided = {
  code: extendedErrors.notReady,
  text: "the engine has not yet said which container this is, and its own label may decide otherwise",
};

/** The name of a type that is served to some only; undefined for those that are served always or never. */
function telltaleType(code: number): string | undefined {
  const served = recordType(code)?.served ?? "labelled";
  return served === "always" || served === "never" ? undefined : nameOfType(code);
}

/** What the journal is told of a lookup; undefined for Docker's own names, and for what we asked in its asker's name. */
function eventOf({ question }: Query, judged: Judged): FinishedAnswer["event"] {
  const { outcome, granted, refused, onlyRefused, isNoName, speaker, decision } = judged;
  const asker = speaker?.addresses[0];
  if (outcome === "local" || question.name === canaryName || speaker === undefined || asker === undefined)
    return undefined;
  const type = telltaleType(question.type);
  const trouble = decision.allowed ? troubleOf(outcome, type) : undefined;
  return {
    networkId: speaker.networkId,
    asker,
    domain: question.name,
    allowed: decision.allowed && trouble === undefined,
    trouble,
    granted,
    ...(type === undefined ? {} : { type }),
    ...(onlyRefused ? { refused } : {}),
    // An upstream that was not asked has not said that there is such a name; its other family was asked for, too.
    ...(isNoName || outcome === "no-family" ? { noName: true } : {}),
  };
}

function troubleOf(outcome: Outcome, type: string | undefined): LookupTrouble | undefined {
  if (outcome === "refused-private") return "private";
  if (outcome === "not-served" && type !== undefined) return "type";
  return outcome === "failed" ? "failed" : undefined;
}

/** Whose share of what is bounded a question takes: one for a container, by whichever address it asks. */
function budgetOf(memberships: readonly Membership[]): string {
  return memberships[0]?.addresses[0] ?? "";
}

/** The network by which it was asked comes first. */
function askedBy(source: IpAddress, standing: Standing): Standing {
  if (standing.kind !== "guarded") return standing;
  const by = standing.memberships.find(({ addresses }) => addresses.includes(source));
  if (by === undefined) return standing;
  const others = standing.memberships.filter((membership) => membership !== by);
  return { ...standing, memberships: [by, ...others] };
}

function askerOf(memberships: readonly Membership[]): DiscoveryAsker {
  return {
    networkIds: memberships.map(({ networkId }) => networkId),
    addresses: memberships.flatMap(({ addresses }) => addresses),
  };
}

function networkOf(address: IpAddress, memberships: readonly Membership[]): string {
  return memberships.find(({ addresses }) => addresses.includes(address))?.networkId ?? "";
}

/** Each network that allows the name opens it for its own address of the asker, for what it allows, until that ends. */
function grantsOf(grant: AnswerGrant, decided: readonly Decided[], nowMs: number): Grant[] {
  const family = familyOf(grant.address);
  const grants = decided.flatMap(({ membership: { policy, addresses }, decision }) => {
    if (!decision.allowed) return [];
    const { address: destination, domain } = grant;
    const askers = addresses.filter((address) => familyOf(address) === family);
    return termsAt(policy, decision.terms, grant, nowMs).flatMap(({ services, endsAtMs = Infinity }) => {
      const leaseSeconds = Math.min(grant.leaseSeconds, Math.floor((endsAtMs - nowMs) / 1000));
      if (leaseSeconds < 1) return [];
      return services.flatMap((service) =>
        askers.map((asker) => ({ asker, destination, domain, service, leaseSeconds })),
      );
    });
  });
  if (grants.length > 0) return grants;
  if (!decided.some(({ decision }) => decision.allowed && (decision.endsAtMs ?? Infinity) - nowMs >= 1000))
    throw new DockerwallError(
      "NOT_FOUND",
      "the name is no longer allowed; its override ended during the lookup",
    );
  throw new DockerwallError("INTERNAL", `no address of the asker may use ${grant.address}`);
}
