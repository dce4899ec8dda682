// One round of each kind: a mutated message goes through the product's own code, and what comes out is judged by the
// naive reading. Every round asserts; none returns a verdict.

import assert from "node:assert/strict";

import type { Looked } from "../../src/core/dns/cached-lookup.ts";
import type { AnswerGrant, LocalAnswer, ResolveRequest } from "../../src/core/dns/resolve/request.ts";
import type { Resolution } from "../../src/core/dns/resolve/resolution.ts";
import { resolveQuery } from "../../src/core/dns/resolve.ts";
import { walkAnswer } from "../../src/core/dns/wire/answer/walk.ts";
import { createFrameReader, renderFrame } from "../../src/core/dns/wire/framing.ts";
import { payloadLimit } from "../../src/core/dns/wire/message.ts";
import { parseQuery, type Query } from "../../src/core/dns/wire/question.ts";
import { respondNow } from "../../src/core/dns/wire/respond.ts";
import {
  isTruncated,
  judgeEcho,
  rcodeOf,
  renderUpstreamQuery,
} from "../../src/core/dns/wire/upstream-query.ts";
import { addressBytes } from "../../src/core/model/address.ts";
import { decideName } from "../../src/core/policy/decide.ts";
import { rawMessage, rawOpt, rawQuestion } from "../support/dns-bytes.ts";
import { filterOf, policyOf } from "../support/policies.ts";
import type { Random } from "../support/seeded.ts";
import { answerCorpus, api, questionCorpus } from "./corpus.ts";
import { mutate, pick } from "./mutate.ts";
import { isInward, naiveAddresses, naiveFrames, naiveJudgement, naiveName } from "./naive.ts";

/** What the rounds have reached. */
export interface Tally {
  queries: number;
  forwarded: number;
  answered: number;
  granted: number;
  framed: number;
  echoed: number;
}

const policy = policyOf("web", "api.example.org *.allowed.com");

/** The policy once more, by labels. */
function mayAsk(labels: readonly string[]): boolean {
  const [last, second] = [labels.at(-1), labels.at(-2)];
  if (last === "com" && second === "allowed") return true;
  return labels.length === 3 && labels[0] === "api" && second === "example" && last === "org";
}

interface Passage {
  readonly bytes: Buffer;
  readonly lookups: number;
  readonly grants: readonly AnswerGrant[];
}

async function pass(query: Query, lookup: () => Looked): Promise<Passage> {
  const grants: AnswerGrant[] = [];
  let lookups = 0;
  const local: LocalAnswer = { kind: "addresses", addresses: [] };
  const request: ResolveRequest = {
    query,
    decision: decideName(policy, query.question.name, 0),
    audit: false,
    limit: payloadLimit(query.edns, "udp"),
    families: new Set([4, 6]),
    extraTypes: new Set(),
    filter: filterOf(),
    lease: { floorSeconds: 60, graceSeconds: 300, ceilingSeconds: 3600 },
    findLocal: (question) => (question.name === "db" ? local : undefined),
    lookup: (_, taker) => {
      lookups++;
      taker.take(lookup());
    },
    admit: (wanted, taker) => {
      grants.push(...wanted);
      taker.take();
    },
  };
  const { bytes, outcome, cause } = await new Promise<Resolution>((resolve) =>
    resolveQuery(request, resolve),
  );
  // The only error that may be caught on the way is the one that says what is wrong with upstream's answer.
  if (outcome === "failed") assert.match(String(cause), /upstream answer refused/);
  return { bytes: Buffer.from(bytes), lookups, grants };
}

function checkShape(bytes: Buffer, message: Buffer, limit: number): void {
  assert.ok(bytes.length >= 12 && bytes.length <= limit);
  assert.equal(bytes.readUInt16BE(0), message.readUInt16BE(0));
  assert.equal((bytes[2] ?? 0) & 0x80, 0x80);
}

/** A client's message: nothing is asked that the policy does not allow, and every answer is about the question. */
export async function fuzzQuestion(random: Random, tally: Tally): Promise<void> {
  const message = mutate(pick(random, questionCorpus), random, questionCorpus);
  const parsed = parseQuery(message);
  if (parsed.kind === "ignore") {
    assert.ok(message.length < 12 || ((message[2] ?? 0) & 0x80) !== 0);
    return;
  }
  assert.ok(message.length >= 12);
  const limit = payloadLimit(parsed.edns, "udp");
  if (parsed.kind === "reply-now") {
    checkShape(Buffer.from(respondNow(parsed, limit)), message, limit);
    return;
  }
  tally.queries++;
  const labels = naiveName(message, 12)?.labels ?? assert.fail("accepted what cannot be read");
  const { bytes, lookups, grants } = await pass(parsed, () => ({
    answer: { kind: "bad", problem: "malformed" },
    ageSeconds: 0,
    stale: false,
    kept: undefined,
  }));
  checkShape(bytes, message, limit);
  assert.equal(grants.length, 0);
  assert.deepEqual(bytes.subarray(12, 12 + parsed.questionBytes.length), Buffer.from(parsed.questionBytes));
  tally.forwarded += lookups;
  if (lookups > 0) assert.ok(mayAsk(labels), `asked upstream for ${JSON.stringify(labels)}`);
  else if (!mayAsk(labels) && labels.join(".") !== "db")
    assert.equal((bytes[3] ?? 0) & 15, 3, JSON.stringify(labels));
}

/** Messages in a stream that is cut anywhere, and broken half of the time: they come out as they lie in it. */
export function fuzzFrames(random: Random, tally: Tally): void {
  const messages = Array.from({ length: 1 + random(4) }, () =>
    mutate(pick(random, questionCorpus), random, questionCorpus),
  );
  const good = Buffer.concat(messages.map(renderFrame));
  const stream = random(2) === 0 ? good : mutate(good, random, questionCorpus);
  const expected = naiveFrames(stream);
  if (stream === good) assert.equal(expected.messages.length, messages.length);
  const reader = createFrameReader();
  const found: string[] = [];
  for (let offset = 0; offset < stream.length; ) {
    const end = offset + 1 + random(random(3) === 0 ? 4 : 200);
    for (const message of reader.push(stream.subarray(offset, end)))
      found.push(Buffer.from(message).toString("hex"));
    offset = end;
  }
  assert.deepEqual(found, expected.messages);
  assert.equal(reader.atBoundary, expected.whole);
  tally.framed += found.length;
}

const queries = new Map(
  [...new Set(answerCorpus.map(({ type }) => type))].map((type) => {
    const parsed = parseQuery(rawMessage({ counts: [1, 0, 0, 1], body: [rawQuestion(api, type), rawOpt()] }));
    assert.ok(parsed.kind === "query");
    return [type, parsed] as const;
  }),
);
const answerBytes = answerCorpus.map(({ bytes }) => bytes);

/** An upstream's message: judged as an echo of our query, walked, and nothing granted but what it leads to. */
export async function fuzzAnswer(random: Random, tally: Tally): Promise<void> {
  const { type, bytes: original } = pick(random, answerCorpus);
  const query = queries.get(type) ?? assert.fail();
  judgeRound(query, original, random, tally);
  const message = mutate(original, random, answerBytes);
  const answer = walkAnswer(message, query.question);
  const { bytes, grants } = await pass(query, () => ({
    answer,
    ageSeconds: 0,
    stale: false,
    kept: undefined,
  }));
  checkShape(bytes, rawMessage({}), 1232);
  if (answer.kind === "answer") tally.answered++;
  tally.granted += grants.length;
  assert.ok(grants.length <= 256);
  const reachable = naiveAddresses(message, type);
  const told = naiveAddresses(bytes, type);
  const granted = new Set<string>();
  for (const { address, leaseSeconds, domain } of grants) {
    const hex = Buffer.from(addressBytes(address)).toString("hex");
    assert.equal(domain, "api.example.org");
    assert.ok(leaseSeconds >= 360 && leaseSeconds <= 3900);
    assert.ok(!isInward(hex), `granted ${address}`);
    assert.ok(reachable.has(hex), `granted ${hex}, which the answer does not lead to`);
    granted.add(hex);
  }
  if (type === 1 || type === 28)
    for (const hex of told) assert.ok(granted.has(hex), `told ${hex} without a grant`);
}

function judgeRound({ question }: Query, original: Buffer, random: Random, tally: Tally): void {
  const randomWord = random(4) === 0 ? undefined : () => random(65_536);
  const query = Buffer.from(renderUpstreamQuery(question, { edns: true, randomWord, padded: false }));
  const questionLength = api.length + 4;
  const answer = Buffer.from(original);
  // As a real server would: with the letters of the query, unless it folds them.
  if (random(4) > 0) query.copy(answer, 12, 12, 12 + questionLength);
  const message = mutate(answer, random, answerBytes);
  const verdict = judgeEcho(query, message);
  assert.equal(verdict, naiveJudgement(query, message, questionLength));
  if (verdict !== "echo") return;
  tally.echoed++;
  assert.equal(isTruncated(message), (message.readUInt8(2) & 2) === 2);
  assert.equal(rcodeOf(message), message.readUInt8(3) & 15);
}
