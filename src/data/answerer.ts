// Where questions of guarded containers arrive, from our listeners in their sandboxes and from those on the host. What
// can be answered as before is; every other query becomes a lookup (answerer/lookup.ts). A message that does not come
// from a known guarded container gets an answer that reveals nothing.

import type { AskerIndex } from "../core/askers/index-of-askers.ts";
import type { Membership, Standing } from "../core/askers/standing.ts";
import type { Resolution } from "../core/dns/resolve/resolution.ts";
import { payloadLimit, type Transport } from "../core/dns/wire/message.ts";
import { parseQuery } from "../core/dns/wire/question.ts";
import { respondNow } from "../core/dns/wire/respond.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { GuardedNetwork } from "../core/model/guarded-network.ts";
import type { ResolverReport } from "../core/model/report/status.ts";
import type { Topology } from "../core/model/topology.ts";
import type { Upstream } from "../core/model/upstream.ts";
import { Waiting } from "../core/waiting.ts";
import { after } from "../edge/host/every.ts";
import type { DnsClient } from "../edge/listener/udp.ts";
import type { DataPlaneSettings } from "../planes/messages.ts";
import type { ResolverFinding } from "../planes/request-table.ts";
import type { Admission } from "./admission.ts";
import { AnswerMemo, type MemoEpoch } from "./answer-memo.ts";
import type { Arrival, Asked, Reply } from "./answerer/arrival.ts";
import { factsOf, SenderStandings } from "./answerer/askers.ts";
import { examineResolvers } from "./answerer/examine-resolvers.ts";
import { answerWithinMs, Lookup, type LookupParts } from "./answerer/lookup.ts";
import { LookupTelling, type LookupTellingOptions } from "./answerer/lookup-telling.ts";
import { NetworkKnowledge, type OwnAddresses } from "./answerer/network-knowledge.ts";
import { type Reason, refuseMessage } from "./answerer/refusals.ts";
import { Resolving } from "./answerer/resolving.ts";
import { NetworkResolvers } from "./resolvers.ts";
import { type EngineReadings, NameReadings } from "./waiting/name-readings.ts";

export interface AnswererOptions extends LookupTellingOptions {
  readonly settings: DataPlaneSettings;
  readonly admission: Admission;
  readonly indexNow: () => AskerIndex;
  readonly ownAddresses: OwnAddresses;
  /** An asker that we do not know yet: the engine must be read again. */
  readonly onUnknown: () => void;
  /** Readings of the engine for names that nobody is known by. */
  readonly nameReadings: EngineReadings;
  /** Whether there is a container that the engine has not told of, whose names we cannot know. */
  readonly mayHaveCome: () => boolean;
}

type Client = Pick<DnsClient, "address" | "isGone">;

/** An answer that nobody gets. */
export type Rehearsed = Pick<Resolution, "bytes" | "refused">;

/** Longest TTL in an answer, seconds: the client comes back before its grant has long been forgotten. */
const toldCeilingSeconds = 3_600;
/** More lookups than a container makes while it starts wait for the engine. */
const places = { perAsker: 128, inAll: 8_192 };

const nowMs = (): number => performance.now();

export class Answerer {
  readonly #options: AnswererOptions;
  readonly #resolvers: NetworkResolvers;
  readonly #parts: LookupParts;
  readonly #senders = new SenderStandings();
  #guarded: readonly GuardedNetwork[] = [];
  #epoch: MemoEpoch = { knowledge: 0, revocations: 0, own: [] };

  constructor(options: AnswererOptions) {
    const { settings, admission, onUnknown, mayHaveCome, nameReadings } = options;
    this.#options = options;
    this.#resolvers = new NetworkResolvers(settings.upstreams, options.onProblem);
    const networks = new NetworkKnowledge(settings.upstreams, options.ownAddresses);
    const telling = new LookupTelling(options);
    const lease = {
      floorSeconds: settings.leaseFloorSeconds,
      graceSeconds: settings.leaseGraceSeconds,
      ceilingSeconds: toldCeilingSeconds,
    };
    const epochNow = (): MemoEpoch => this.#epochNow(networks, admission);
    this.#parts = {
      networks,
      admission,
      telling,
      epochNow,
      memo: new AnswerMemo(lease, epochNow),
      resolving: new Resolving({ lease, networks, resolvers: this.#resolvers, admission }),
      waiting: new Waiting({ ...places, nowMs, after, onFailure: telling.failure }),
      nameReadings: new NameReadings({ engine: nameReadings, nowMs, after, onFailure: telling.failure }),
      onUnknown,
      mayHaveCome,
    };
  }

  /** A message of an asker whose networks are known, or will be. */
  answer(arrival: Arrival): void {
    const { message, transport, standing, reply } = arrival;
    if (transport === "udp" && this.#repeat(message, standing(), reply)) return;
    const query = parseQuery(message);
    if (query.kind === "query") {
      new Lookup(this.#parts, arrival, query).begin();
    } else if (standing().kind !== "guarded") {
      this.fail({ message, transport, reply }, "stranger");
    } else if (query.kind === "reply-now") {
      if (query.zone !== undefined) this.#parts.telling.noQuery(query.zone, standing());
      reply(respondNow(query, payloadLimit(query.edns, transport)));
    } else reply(undefined);
  }

  /** A message that came to the host's listener; its sender is known by its address only. */
  fromHost(message: Uint8Array, transport: Transport, { address, isGone }: Client, reply: Reply): void {
    const standing = (): Standing => this.#senders.of(address, this.#options.indexNow());
    this.answer({ message, transport, standing, isGone, arrivedAtMs: nowMs(), reply, source: address });
  }

  /** Answers that there is no answer, and why. */
  fail(
    { message, transport, reply }: Pick<Arrival, "message" | "transport" | "reply">,
    reason: Reason,
  ): void {
    reply(refuseMessage(message, transport, reason));
  }

  /** Other names and networks; what waits for them is decided by reconsider(), once its askers are settled by them. */
  useTopology(topology: Topology, guarded: readonly GuardedNetwork[]): void {
    this.#guarded = guarded;
    this.#parts.networks.useTopology(topology, guarded);
    this.#resolvers.retain(guarded.map(({ id, labels }) => ({ id, choice: labels.upstream })));
  }

  /** More is known, or was read: what waits for it is decided, if it can be by now. */
  reconsider(): void {
    this.#parts.waiting.judge();
  }

  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void {
    this.#resolvers.useUpstreams(upstreams);
    this.#parts.networks.useUpstreams(upstreams);
  }

  /** The host has other addresses: one of its resolvers may be a container's now, or a container's no more. */
  useHostAddresses(): void {
    this.#parts.networks.useOwnAddresses();
  }

  /** What a message of an asker who stands there would be answered, without opening anything. */
  async rehearse(message: Uint8Array, memberships: readonly Membership[]): Promise<Rehearsed | undefined> {
    const query = parseQuery(message);
    if (query.kind !== "query") return undefined;
    const asked: Asked = {
      query,
      transport: "tcp",
      asker: "rehearsal",
      memberships,
      facts: factsOf(memberships),
      standing: () => ({ kind: "guarded", memberships, settled: true, mayLose: false }),
      deadlineAtMs: performance.now() + answerWithinMs,
      isGone: undefined,
    };
    return new Promise((resolve) =>
      this.#parts.resolving.resolve(
        asked,
        // Nothing is opened.
        (_grants, taker) => taker.take(),
        ({ resolution }) => resolve(resolution),
      ),
    );
  }

  /** Asks nobody from now on, and leaves no socket open. */
  close(): void {
    this.#resolvers.close();
  }

  stats(): ResolverReport {
    return this.#resolvers.stats();
  }

  /** Whether an address is private, or of this host's own networks. */
  isInside(address: IpAddress): boolean {
    return this.#parts.networks.isInside(address);
  }

  /** Whether the resolvers answer that the guarded networks ask; the daemon's own where there is no network yet. */
  examineResolvers(): Promise<readonly ResolverFinding[]> {
    return examineResolvers(this.#guarded, this.#resolvers, this.#parts.networks.circles);
  }

  /** The same object for as long as nothing of it changes. */
  #epochNow({ epoch: knowledge, own }: NetworkKnowledge, { revocations }: Admission): MemoEpoch {
    const last = this.#epoch;
    if (last.knowledge !== knowledge || last.revocations !== revocations || last.own !== own)
      this.#epoch = { knowledge, revocations, own };
    return this.#epoch;
  }

  /** Answers what the same asker was answered a moment ago. @returns whether it was */
  #repeat(message: Uint8Array, standing: Standing, reply: Reply): boolean {
    const { memo, telling } = this.#parts;
    const found = standing.kind === "guarded" ? memo.find(standing, message, performance.now()) : undefined;
    if (found === undefined) return false;
    telling.repeated(found);
    reply(found.bytes);
    return true;
  }
}
