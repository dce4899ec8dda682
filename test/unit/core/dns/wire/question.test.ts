import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { payloadLimit } from "../../../../../src/core/dns/wire/message.ts";
import { nameText, readName } from "../../../../../src/core/dns/wire/name.ts";
import { parseQuery } from "../../../../../src/core/dns/wire/question.ts";
import { respondNow } from "../../../../../src/core/dns/wire/respond.ts";
import { decodeMessage, rawMessage, rawOpt, wireName } from "../../../../support/dns-bytes.ts";
import { accepted, longest, question, refused, silent } from "../../../../support/question-cases.ts";

for (const { name, message, text, type } of accepted) {
  test(`question accepted: ${name}`, () => {
    const parsed = parseQuery(rawMessage(message));
    assert.equal(parsed.kind, "query");
    if (parsed.kind !== "query") return;
    assert.equal(parsed.question.name, text);
    assert.equal(parsed.question.type, type ?? 1);
    assert.equal(parsed.id, 0x1234);
    assert.deepEqual(Buffer.from(parsed.questionBytes), message.body?.[0]);
    assert.equal(parsed.edns !== undefined, (message.counts?.[3] ?? 0) > 0);
  });
}

for (const { name, message, rcode, echoes } of refused) {
  test(`question refused: ${name}`, () => {
    const parsed = parseQuery(rawMessage(message));
    assert.equal(parsed.kind, "reply-now");
    if (parsed.kind !== "reply-now") return;
    const bytes = respondNow(parsed, payloadLimit(parsed.edns, "udp"));
    const decoded = decodeMessage(bytes);
    const opcode = (message.flags ?? 0x0100) & 0x7800;
    assert.equal(bytes[2], 0x80 | ((opcode | ((message.flags ?? 0x0100) & 0x0100)) >> 8));
    assert.equal(decoded.id, 0x1234);
    const extended = (decoded.opt?.extendedRcode ?? 0) === 1 ? "BADVERS" : decoded.rcode;
    assert.equal(extended, rcode);
    assert.equal((bytes[4] ?? 0) * 256 + (bytes[5] ?? 0), echoes === true ? 1 : 0);
    if (echoes === true)
      assert.deepEqual(
        Buffer.from(bytes.subarray(12, 12 + (message.body?.[0]?.length ?? 0))),
        message.body?.[0],
      );
  });
}

for (const { name, bytes } of silent) {
  test(`silence for ${name}`, () => assert.deepEqual(parseQuery(bytes), { kind: "ignore" }));
}

const label = fc.uint8Array({ minLength: 1, maxLength: 12 });

test("different labels never have one text", () => {
  const toName = (labels: readonly Uint8Array[]) =>
    wireName(...labels.map((bytes) => Buffer.from(bytes).toString("latin1").replaceAll(/[A-Z]/g, "x")));
  const textOf = (wire: Uint8Array) => {
    const read = readName(wire, 0, "refused");
    return read === undefined ? undefined : nameText(read.name);
  };
  const labels = fc.array(label, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(labels, labels, (a, b) => {
      const [left, right] = [toName(a), toName(b)];
      assert.equal(textOf(left) === textOf(right), left.equals(right));
    }),
  );
  // The same bytes cut into other labels.
  fc.assert(
    fc.property(label, label, (a, b) => {
      const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
      assert.notEqual(textOf(wireName(text(a), text(b))), textOf(wireName(`${text(a)}.${text(b)}`)));
    }),
  );
});

test("no bytes throw, and every answer can be read and is no longer than it may be", () => {
  const header = fc.tuple(
    fc.constantFrom(0x0100, 0, 0x2800, 0x8180, 0xffff),
    fc.constantFrom(0, 1, 2),
    fc.constantFrom(0, 1),
    fc.constantFrom(0, 1),
    fc.constantFrom(0, 1, 2),
  );
  const body = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(question, rawOpt(), rawOpt({ version: 3 }), longest),
    ),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(header, body, ([flags, ...counts], pieces) => {
      const message = rawMessage({
        flags,
        counts: counts as unknown as [number, number, number, number],
        body: pieces,
      });
      const parsed = parseQuery(message);
      if (parsed.kind !== "reply-now") return;
      const bytes = respondNow(parsed, 512);
      assert.ok(bytes.length <= 512);
      assert.equal((bytes[2] ?? 0) & 0x80, 0x80);
    }),
    { numRuns: 3000 },
  );
});
