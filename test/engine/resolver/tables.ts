// The tables of questions, asked from inside a container by UDP and by TCP, compared field by field.

import assert from "node:assert/strict";
import { decodeMessage, rawMessage } from "../../support/dns-bytes.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { accepted, refused, silent } from "../../support/question-cases.ts";
import { askRaw, type RawAsk } from "../../support/raw-ask.ts";
import { type AskedEdns, type Essence, essenceOf, questionFor } from "./essence.ts";
import { type PolicyQuestion, policyQuestions } from "./policy-questions.ts";

const transports = ["udp", "tcp"] as const;

/** Every question of the policy table: by UDP with and without EDNS, and by TCP. How many were asked. */
export async function askPolicyTable(engine: Engine, container: string): Promise<number> {
  const cases = policyQuestions.flatMap((expected) => [
    { expected, transport: "udp" as const, edns: undefined },
    { expected, transport: "udp" as const, edns: { size: 4096, dnssecOk: false } },
    { expected, transport: "tcp" as const, edns: { size: 1232, dnssecOk: true } },
  ]);
  const asks = cases.map(({ expected, transport, edns }) => ({
    transport,
    message: questionFor(expected.name, expected.type, edns),
  }));
  const responses = await askRaw(engine, container, asks);
  const wrong: string[] = [];
  cases.forEach(({ expected, transport, edns }, index) => {
    const place = `${expected.name} ${expected.type} ${transport} ${edns?.size ?? "without EDNS"}`;
    try {
      const response = responses[index];
      assert.ok(response !== undefined, "silence");
      const query = asks[index]?.message ?? Buffer.alloc(0);
      checkPolicyAnswer(expected, { query, response, transport, edns });
    } catch (error) {
      wrong.push(`${place}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
  assert.deepEqual(wrong, []);
  return cases.length;
}

interface Answered {
  readonly query: Uint8Array;
  readonly response: Buffer;
  readonly transport: "udp" | "tcp";
  readonly edns: AskedEdns | undefined;
}

function checkPolicyAnswer(expected: PolicyQuestion, { query, response, transport, edns }: Answered): void {
  const limit = transport === "tcp" ? 65_535 : edns === undefined ? 512 : 1232;
  assert.ok(response.length <= limit, `${response.length} bytes`);
  const questionLength = query.length - 12 - (edns === undefined ? 0 : 11);
  // The question comes back as it was, letter by letter.
  assert.deepEqual(
    response.subarray(12, 12 + questionLength),
    Buffer.from(query.subarray(12, 12 + questionLength)),
  );
  const seen = essenceOf(query, response);
  const truncated = transport === "udp" && expected.tooLong !== undefined && limit <= expected.tooLong;
  const answers = (expected.answers ?? [])
    .map((line) => (/^[A-Z]+ /.test(line) ? `${expected.name.toLowerCase()} ${line}` : line))
    .sort();
  assert.equal(seen.rcode, expected.rcode ?? "NOERROR");
  assert.equal(seen.truncated, truncated, "truncated");
  if (expected.count !== undefined) assert.equal(seen.answers.length, truncated ? 0 : expected.count);
  else assert.deepEqual(seen.answers, answers);
  checkEdns(expected, seen, edns);
  // Without a SOA nobody keeps a "no" (RFC 2308 5), and none for longer than the zones of the fake internet say.
  const isNo = expected.rcode === "NXDOMAIN" || (seen.answers.length === 0 && expected.count === undefined);
  if (isNo && expected.rcode !== "SERVFAIL") {
    assert.ok(seen.soa !== undefined, "SOA");
    if (seen.soa.ours) assert.equal(seen.soa.ttl, 5, "TTL of our SOA");
    else assert.ok(seen.soa.ttl <= 5, `TTL ${seen.soa.ttl} of upstream's SOA`);
    if (expected.error === 15) assert.equal(seen.soa.ours, true, "our SOA");
  }
  if (expected.ttl !== undefined)
    assert.ok(seen.maxTtl <= expected.ttl, `TTL ${seen.maxTtl} > ${expected.ttl}`);
}

function checkEdns(expected: PolicyQuestion, seen: Essence, edns: AskedEdns | undefined): void {
  if (edns === undefined) {
    assert.equal(seen.opt, undefined, "EDNS");
    return;
  }
  assert.deepEqual(seen.opt, { size: 1232, version: 0, dnssecOk: false });
  const errors = expected.error === "failed" ? [23, 13] : [expected.error];
  assert.ok(errors.includes(seen.error), `extended error ${seen.error}`);
  if (expected.errorText === undefined) assert.equal(seen.errorText, undefined);
  else assert.match(seen.errorText ?? "", expected.errorText);
}

/** Every message of the table of messages, by both transports. How many were sent. */
export async function askMessageTable(engine: Engine, container: string): Promise<number> {
  const both = (message: Uint8Array): RawAsk[] => transports.map((transport) => ({ transport, message }));
  const cases = [
    ...accepted.map(({ name, message }) => ({
      name,
      asks: both(rawMessage(message)),
      check: (response: Buffer | undefined) => {
        // Every one of these names is denied.
        const decoded = decodeMessage(response ?? Buffer.alloc(0));
        assert.equal(decoded.rcode, "NXDOMAIN");
        assert.equal(decoded.id, 0x1234);
        const edns = (message.counts?.[3] ?? 0) > 0;
        assert.equal(decoded.opt?.errorCode, edns ? 15 : undefined);
        assert.deepEqual(
          response?.subarray(12, 12 + (message.body?.[0]?.length ?? 0)),
          Buffer.from(message.body?.[0] ?? []),
        );
      },
    })),
    ...refused.map(({ name, message, rcode, echoes }) => ({
      name,
      asks: both(rawMessage(message)),
      check: (response: Buffer | undefined) => {
        const decoded = decodeMessage(response ?? Buffer.alloc(0));
        assert.equal(decoded.opt?.extendedRcode === 1 ? "BADVERS" : decoded.rcode, rcode);
        assert.equal(decoded.id, 0x1234);
        assert.equal(response?.readUInt16BE(4), echoes === true ? 1 : 0);
      },
    })),
    ...silent.map(({ name, bytes }) => ({
      name,
      asks: both(bytes),
      check: (response: Buffer | undefined) => assert.equal(response, undefined),
    })),
  ];
  const asks = cases.flatMap((each) => each.asks);
  const responses = await askRaw(engine, container, asks);
  const wrong: string[] = [];
  cases.forEach(({ name, check }, index) => {
    transports.forEach((transport, offset) => {
      try {
        check(responses[index * transports.length + offset]);
      } catch (error) {
        wrong.push(`${name} by ${transport}: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  });
  assert.deepEqual(wrong, []);
  return asks.length;
}
