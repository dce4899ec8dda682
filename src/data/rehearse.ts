// What the data plane would do with a container's name or packet, found by the very code that does it, but without
// opening anything.

import {
  decideForEach,
  joinDecisions,
  type Membership,
  type Standing,
} from "../core/askers/index-of-askers.ts";
import { isInside } from "../core/dns/address-filter.ts";
import { addressQuery, readAddressAnswer } from "../core/dns/probe.ts";
import { addressBytes, familyOf, type IpAddress } from "../core/model/address.ts";
import type { ExplainedAnswer, Explanation } from "../core/model/explanation.ts";
import { serviceCovers } from "../core/model/service.ts";
import { type MatchedEntry, serviceOf, termsAt } from "../core/policy/decide.ts";
import { describeEntry } from "../core/policy/preset.ts";
import type { ExplainTarget } from "../core/policy/target.ts";
import { epochMs } from "../edge/kernel/monotonic.ts";
import type { Admission } from "./admission.ts";
import type { Answerer } from "./answerer.ts";

export interface ExplainOptions {
  readonly admission: Admission;
  readonly answerer: Answerer;
  readonly standing: Standing;
  readonly target: ExplainTarget;
  /** By the clock that grants and lists end by. */
  readonly nowMs: number;
}

export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { standing, target } = options;
  if (standing.kind !== "guarded") {
    return {
      ...nothing,
      allowed: standing.kind === "open",
      reason: standing.kind === "open" ? "not-guarded" : "unknown",
    };
  }
  const { memberships } = standing;
  if (standing.mayLose)
    return { ...nothing, reason: "unknown", networks: memberships.map(({ networkName }) => networkName) };
  const audit = memberships.some(({ labels }) => labels.mode === "audit");
  const explanation =
    target.name === undefined
      ? explainAddress(options, memberships, target.address)
      : await explainName(options, memberships, target.name);
  return { ...explanation, audit };
}

const nothing: Explanation = {
  allowed: false,
  reason: "no-entry",
  audit: false,
  networks: [],
  by: undefined,
  names: [],
  answers: [],
  secondsLeft: undefined,
};

function explainAddress(
  { admission, target }: ExplainOptions,
  memberships: readonly Membership[],
  destination: IpAddress | undefined,
): Explanation {
  if (destination === undefined) return nothing;
  const askers = memberships.flatMap(({ addresses }) => addresses);
  const packets = askers
    .filter((source) => familyOf(source) === familyOf(destination))
    .map((source) => ({ source, destination, protocol: target.ipProtocol, port: target.port ?? 443 }));
  const names = [...new Set(packets.flatMap(({ source }) => admission.namesOf(source, destination)))];
  const networks = memberships.map(({ networkName }) => networkName);
  const verdicts = packets.map((packet) => ({
    verdict: admission.verdict(packet, memberships),
    secondsLeft: admission.secondsLeft(packet),
  }));
  // A name that is allowed opens its addresses only while a lookup of it is remembered.
  const open = verdicts.find(
    ({ verdict, secondsLeft }) =>
      verdict.allowed && (verdict.name === undefined || secondsLeft !== undefined),
  );
  const decisive =
    open ?? verdicts.find(({ verdict }) => verdict.allowed) ?? verdicts.find(({ verdict }) => verdict.by);
  const verdict = decisive?.verdict;
  const reason =
    open !== undefined
      ? "entry"
      : verdict?.allowed === true
        ? "no-lookup"
        : verdict?.by
          ? "taken-away"
          : "no-entry";
  return {
    ...nothing,
    allowed: open !== undefined,
    reason,
    networks,
    by: verdict?.by === undefined ? undefined : told(verdict.by),
    names,
    secondsLeft: decisive?.secondsLeft,
  };
}

async function explainName(
  { answerer, target, nowMs }: ExplainOptions,
  memberships: readonly Membership[],
  name: string,
): Promise<Explanation> {
  const decision = joinDecisions(decideForEach(memberships, name, nowMs));
  const networks = memberships.map(({ networkName }) => networkName);
  const families = new Set(memberships.flatMap(({ addresses }) => addresses.map(familyOf)));
  const wanted = [...(families.has(4) ? ["A" as const] : []), ...(families.has(6) ? ["AAAA" as const] : [])];
  const answers = await Promise.all(wanted.map((type) => answerFor(answerer, memberships, { name, type })));
  if (!decision.allowed) {
    const [by] = decision.by;
    return {
      ...nothing,
      reason: by === undefined ? "no-entry" : "taken-away",
      networks,
      by: by && told(by),
      answers,
    };
  }
  const reachable = memberships.flatMap(({ policy }) =>
    answers.flatMap(({ addresses }) =>
      addresses.flatMap((address) => {
        const inside = isInside(addressBytes(address));
        return termsAt(policy, decision.terms, { address, inside }, nowMs).flatMap((term) => term.services);
      }),
    ),
  );
  if (reachable.length === 0) return { ...nothing, reason: "no-address", networks, answers };
  const { port, ipProtocol } = target;
  const fits = ({ entry }: MatchedEntry): boolean =>
    port === undefined || serviceCovers(serviceOf({ entry }), ipProtocol, port);
  const covered = port === undefined || reachable.some((service) => serviceCovers(service, ipProtocol, port));
  const by = decision.by.find(fits) ?? decision.by[0];
  return {
    ...nothing,
    allowed: covered,
    reason: covered ? "entry" : "port",
    networks,
    by: by && told(by),
    answers,
  };
}

async function answerFor(
  answerer: Answerer,
  memberships: readonly Membership[],
  { name, type }: { readonly name: string; readonly type: "A" | "AAAA" },
): Promise<ExplainedAnswer> {
  const bytes = await answerer.rehearse(addressQuery(name, type), memberships);
  const { rcode, addresses, ttlSeconds } = bytes === undefined ? noAnswer : readAddressAnswer(bytes);
  return rcode === "NOERROR" || rcode === "NXDOMAIN"
    ? { type, rcode, addresses, ttlSeconds }
    : { type, ...noAnswer };
}

const noAnswer = { rcode: "SERVFAIL", addresses: [], ttlSeconds: undefined } as const;

function told({ entry, source, endsAtMs }: MatchedEntry): NonNullable<Explanation["by"]> {
  const ends = endsAtMs === undefined ? undefined : epochMs(endsAtMs);
  return { entry: describeEntry(entry), source, endsAtMs: ends };
}
