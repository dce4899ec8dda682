// A flow of TLS, step by step.

import assert from "node:assert/strict";
import { test } from "node:test";
import { longestHello } from "../../../../../src/core/name-check/records.ts";
import { tcpFlags } from "../../../../../src/core/name-check/segment.ts";
import { alert, hello, retry } from "../../../../support/flow/tls-answers.ts";
import {
  again,
  allowed,
  begin,
  dropped,
  earlyData,
  evil,
  first,
  from,
  held,
  marked,
  note,
  refusalIn,
  released,
  serverFrom,
} from "../../../../support/flow/tls-flow.ts";
import {
  browserHello,
  filler,
  helloMessage,
  inRecords,
  record,
} from "../../../../support/tls/build-hello.ts";

test("it is held until the hello is whole, then goes in order, and is let go by the server's hello", () => {
  const { says, answers } = begin();
  assert.deepEqual(says(100, first.subarray(100)), [dropped(1)]);
  assert.deepEqual(says(0, first.subarray(0, 100)), [held(2)]);
  assert.deepEqual(says(0, first.subarray(0, 60)), [dropped(3)]);
  assert.deepEqual(says(60, first.subarray(60)), [note, marked("released"), released(2, 4)]);
  assert.deepEqual(says(0, first), [released(5)]);
  assert.deepEqual(answers(0, hello.subarray(0, 8), first.length), [released(6)]);
  assert.deepEqual(answers(8, hello.subarray(8), first.length), [marked("admitted"), released(7)]);
  assert.deepEqual(says(first.length, earlyData), [dropped(8)]);
  assert.deepEqual(answers(hello.length, earlyData, first.length), [released(9)]);
});

test("what the server has not acknowledged does not let it go", () => {
  const { flow, says, answers } = begin();
  says(0, first);
  assert.deepEqual(answers(0, hello, first.length - 1), [released(2)]);
  assert.deepEqual(answers(0, hello, first.length + 2), [released(3)], "more than was sent");
  assert.deepEqual(answers(40, hello.subarray(40), 2 ** 31), [released(4)], "half the circle away");
  assert.equal(flow.kind, "released");
  assert.deepEqual(answers(hello.length, Buffer.alloc(9), first.length), [marked("admitted"), released(5)]);
});

test("a server's answer is read from its first byte: what comes early is sent again", () => {
  const { says, answers } = begin();
  says(0, first);
  assert.deepEqual(answers(30, hello.subarray(30), first.length), [dropped(2)]);
  assert.deepEqual(answers(0, hello, first.length), [marked("admitted"), released(3)]);
});

test("a server that asks again is answered for the same name, and then it is let go", () => {
  const { flow, says, answers } = begin();
  says(0, Buffer.concat([first, earlyData]));
  const end = first.length + earlyData.length;
  assert.deepEqual(answers(0, retry, end), [released(2)]);
  assert.deepEqual(says(end, again.subarray(0, 40)), [held(3)]);
  assert.equal(flow.kind, "reading");
  assert.deepEqual(says(end + 40, again.subarray(40)), [released(3, 4)]);
  assert.deepEqual(answers(retry.length, hello, end), [released(5)]);
  assert.deepEqual(answers(retry.length, hello, end + again.length), [marked("admitted"), released(6)]);
});

test("what is behind the hello is read in 256 pieces at most before the server has answered", () => {
  const { says } = begin();
  says(0, first);
  const data = record(Buffer.alloc(400, 0x17), 23, 0x0303);
  for (let at = 0; at < 256; at++) {
    assert.equal(refusalIn(says(first.length + at, data.subarray(at, at + 1))), undefined);
  }
  assert.equal(refusalIn(says(first.length + 256, data.subarray(256, 257))), "many-segments");
});

test("Encrypted ClientHello is refused only where it is to be", () => {
  const bytes = record(browserHello(allowed));
  assert.equal(refusalIn(begin().says(0, bytes)), undefined);
  assert.equal(refusalIn(begin({ allowsEch: false }).says(0, bytes)), "ech");
});

test("the longest hello fits", () => {
  const size = 16_384 - (helloMessage({ extensions: [] }).length - 4) - 4;
  const message = helloMessage({
    extensions: [[0, Buffer.from("001200000f6170692e6578616d706c652e636f6d", "hex")], filler(size - 24)],
  });
  const bytes = inRecords(message, 16);
  assert.equal(bytes.length, longestHello);
  const { says } = begin();
  for (let at = 0; at < bytes.length - 1400; at += 1400) says(at, bytes.subarray(at, at + 1400));
  const last = Math.floor((bytes.length - 1) / 1400) * 1400;
  assert.deepEqual(
    says(last, bytes.subarray(last)).map(({ kind }) => kind),
    ["note", "mark", "release"],
  );
});

test("what some receivers drop is dropped", () => {
  const { says } = begin();
  for (const parts of [
    { urgent: true },
    { signed: true },
    { plain: false },
    { flags: tcpFlags.ack | tcpFlags.syn },
    { flags: tcpFlags.ack | tcpFlags.rst },
  ])
    assert.deepEqual(
      says(0, first, parts).map(({ kind }) => kind),
      ["drop"],
    );
  assert.deepEqual(
    says(-1, Buffer.from([0])).map(({ kind }) => kind),
    ["drop"],
    "a keep-alive probe",
  );
  assert.equal(refusalIn(says(0, first, { flags: tcpFlags.ack | tcpFlags.fin })), undefined);
});

test("a client that ends it before it asks is done with; one that has asked may close its direction", () => {
  const none = new Uint8Array(0);
  for (const flags of [tcpFlags.rst, tcpFlags.fin | tcpFlags.ack]) {
    const { says } = begin();
    says(0, first.subarray(0, 9));
    assert.deepEqual(says(9, none, { flags }), [marked("cut"), dropped(1), released(2)]);
  }
  const { flow, says } = begin();
  says(0, first);
  assert.deepEqual(says(first.length, none, { flags: tcpFlags.fin | tcpFlags.ack }), [released(2)]);
  assert.deepEqual(says(first.length, none, { flags: tcpFlags.rst }), [marked("cut"), released(3)]);
  assert.equal(flow.kind, "ended");
});

test("audit refuses nothing, says what it would have, and reads no further", () => {
  const { flow, says } = begin({ isAudited: true });
  assert.deepEqual(says(0, evil.subarray(0, 30)), [held(1)]);
  assert.deepEqual(says(30, evil.subarray(30)), [
    marked("audited"),
    released(1, 2),
    { kind: "note", note: { name: "www.evil.example", as: "tls", refusal: "not-allowed" } },
  ]);
  assert.equal(flow.kind, "ended");
});

test("the resets have the numbers that both ends wait for", () => {
  const { says } = begin();
  says(0, first);
  const steps = says(first.length, evil);
  assert.deepEqual(
    steps.find(({ kind }) => kind === "reset"),
    {
      kind: "reset",
      reset: {
        toClient: { seq: serverFrom, ack: (from + first.length + evil.length) % 2 ** 32 },
        toServer: { seq: (from + first.length) % 2 ** 32 },
      },
    },
  );
});

test("a server that does not go on with TLS is heard, but what is said to it is never let go", () => {
  const { flow, says, answers } = begin();
  says(0, first);
  assert.deepEqual(answers(0, alert, first.length), [released(2)]);
  assert.deepEqual(answers(alert.length, hello, first.length), [released(3)]);
  assert.equal(flow.kind, "released");
});
