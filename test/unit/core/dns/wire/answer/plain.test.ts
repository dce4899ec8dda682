// Plain answers are read and told in place; what comes of it must be, byte for byte, what comes of the records walked one
// by one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { walkRecords } from "../../../../../../src/core/dns/wire/answer/records.ts";
import { renderAnswer } from "../../../../../../src/core/dns/wire/answer/response.ts";
import { walkAnswer } from "../../../../../../src/core/dns/wire/answer/walk.ts";
import type { Answer } from "../../../../../../src/core/dns/wire/answer.ts";
import { parseQuery, type Query } from "../../../../../../src/core/dns/wire/question.ts";
import {
  plainName,
  rawMessage,
  rawOpt,
  rawQuestion,
  rawRecord,
  rawResponse,
} from "../../../../../support/dns-bytes.ts";
import { type Random, seeded } from "../../../../../support/seeded.ts";

const rounds = 20_000;
const names = ["www.example.org", "WWW.example.org", "a.b", `${"x".repeat(63)}.example.org`, "org"];
const toQuestion = Buffer.from([0xc0, 12]);

const oneOf = <T>(random: Random, values: readonly T[]): T => values[random(values.length)] as T;

function queryOf(random: Random, name: string, type: number): Query {
  const opt = random(2) === 0 ? [] : [rawOpt()];
  const body = [rawQuestion(plainName(name), type), ...opt];
  const query = parseQuery(rawMessage({ counts: [1, 0, 0, opt.length], body }));
  assert.ok(query.kind === "query");
  return query;
}

/** One of some records, few of them odd; now and then a byte of it all is changed. */
function messageOf(random: Random, name: string, type: number): Uint8Array {
  const length = type === 28 ? 16 : 4;
  const records = Array.from({ length: oneOf(random, [0, 1, 1, 2, 3, 8, 32, 33, 40]) }, () =>
    rawRecord({
      owner: oneOf(random, [
        ...Array<Buffer>(60).fill(toQuestion),
        plainName(name),
        plainName("other.example"),
      ]),
      type: oneOf(random, [...Array<number>(60).fill(type), 5, 1, 28, 16]),
      recordClass: random(60) === 0 ? 3 : 1,
      ttl: oneOf(random, [300, random(0x7fff_ffff), 0, 0x8000_0000 + random(99)]),
      rdata: Buffer.from(Array.from({ length: random(90) === 0 ? 5 : length }, () => random(3))),
    }),
  );
  const message = rawResponse(
    rawQuestion(plainName(oneOf(random, [name, name.toUpperCase()])), type),
    records,
  );
  if (random(3) === 0 && message.length > 0) message[random(message.length)] = random(256);
  if (random(3) === 0) message[random(14)] = random(256);
  return random(20) === 0 ? message.subarray(0, random(message.length)) : message;
}

function saidBy({ rcode, addresses, soa, ttlSeconds, chainNames, records }: Answer): unknown {
  return { rcode, addresses, soa, ttlSeconds, chainNames, records };
}

test("plain answers are read and told as the others are", () => {
  const random = seeded(1);
  let plain = 0;
  let inPlace = 0;
  for (let round = 0; round < rounds; round++) {
    const name = oneOf(random, names);
    const type = oneOf(random, [1, 28, 16]);
    const head = queryOf(random, name, type);
    const message = messageOf(random, name, type);
    const [found, expected] = [walkAnswer(message, head.question), walkRecords(message, head.question)];
    if (found.kind === "bad" || expected.kind === "bad") {
      assert.deepEqual(found, expected, `round ${round}`);
      continue;
    }
    assert.deepEqual(saidBy(found), saidBy(expected), `round ${round}`);
    if (found.plain === undefined) continue;
    plain += 1;
    const dropped = random(4) === 0 ? oneOf(random, expected.addresses).address : undefined;
    const rendering = {
      head,
      limit: oneOf(random, [1_232, 512, 520, 65_535]),
      tellTtl: (ttl: number) => Math.min(ttl, 70_000),
      keep: random(2) === 0 ? undefined : (address: string) => address !== dropped,
      extendedError: random(8) === 0 ? ({ code: 3, text: "stale" } as const) : undefined,
    };
    const told = renderAnswer(found, rendering);
    assert.deepEqual(Buffer.from(told), Buffer.from(renderAnswer(expected, rendering)), `round ${round}`);
    if (rendering.keep === undefined && rendering.extendedError === undefined) inPlace += 1;
  }
  assert.ok(plain > rounds / 8 && inPlace > rounds / 20, `${plain} plain, ${inPlace} told in place`);
});
