// What honest clients say gets through, however it is cut, and whatever the network does with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, hello, retry } from "../../../../support/flow/tls-answers.ts";
import { talkOver } from "../../../../support/flow/wire.ts";
import { honest } from "../../../../support/http/honest.ts";
import { naiveRequests } from "../../../../support/http/naive.ts";
import { seeded } from "../../../../support/seeded.ts";
import { naiveHello } from "../../../../support/tls/naive-hello.ts";
import { recorded, recordedName } from "../../../../support/tls/recorded.ts";

const seeds = 12;
const reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

for (const { program, bytes } of recorded("hello"))
  test(`admitted: ${program}`, () => {
    for (let seed = 0; seed < seeds; seed++) {
      const says = [{ bytes, heard: 0 }];
      const talk = { allows: (name: string) => name === recordedName, answer: answerOf(false), says };
      const { kernel, accepted } = talkOver(talk, seeded(seed), (told) => told.kernel.mark === "admitted");
      assert.deepEqual(accepted, bytes.subarray(0, accepted.length));
      assert.deepEqual(kernel.notes, [{ name: recordedName, as: "tls", refusal: undefined }]);
      assert.equal(kernel.held, 0);
    }
  });

for (const { program, bytes } of recorded("retried"))
  test(`admitted when it is asked again: ${program}`, () => {
    const first = naiveHello(bytes)?.length ?? 0;
    for (let seed = 0; seed < seeds; seed++) {
      const says = [
        { bytes: bytes.subarray(0, first), heard: 0 },
        { bytes: bytes.subarray(first), heard: retry.length },
      ];
      const talk = { allows: (name: string) => name === recordedName, answer: answerOf(true), says };
      const { kernel, accepted } = talkOver(talk, seeded(seed), (told) => told.kernel.mark === "admitted");
      assert.deepEqual(accepted, bytes);
      assert.deepEqual(kernel.marks, ["released", "admitted"]);
    }
  });

for (const { client, text, asks, upgrade } of honest)
  test(`passes: ${client}`, () => {
    const bytes = Buffer.from(text, "latin1");
    const names = new Set(asks.map(([host]) => host));
    for (let seed = 0; seed < seeds; seed++) {
      const talk = {
        allows: (name: string) => names.has(name),
        answer: (accepted: Buffer) => Buffer.from(accepted.length < bytes.length ? "" : reply),
        says: [{ bytes, heard: 0 }],
      };
      const { kernel, accepted } = talkOver(talk, seeded(seed), ({ kernel: { mark }, heard }) => {
        return heard === reply.length && (mark === "requests" || upgrade === "websocket");
      });
      assert.deepEqual(accepted, bytes);
      assert.ok(kernel.notes.every(({ refusal, as }) => refusal === undefined && as === "http"));
      assert.equal(kernel.notes.length, asks.length);
    }
  });

test("requests one after the other on one connection, and WebSocket", () => {
  const kept = honest.filter(({ upgrade }) => upgrade === undefined);
  const names = new Set(kept.flatMap(({ asks }) => asks.map(([host]) => host)));
  for (let seed = 0; seed < seeds; seed++) {
    const says = kept.map(({ text }, index) => ({
      bytes: Buffer.from(text, "latin1"),
      heard: index * reply.length,
    }));
    const ends = says.map((_, index) =>
      says.slice(0, index + 1).reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
    const talk = {
      allows: (name: string) => names.has(name),
      answer: (accepted: Buffer) =>
        Buffer.from(reply.repeat(ends.filter((end) => end <= accepted.length).length)),
      says,
      piecesAtMost: 4,
    };
    const told = talkOver(talk, seeded(seed), ({ heard }) => heard === kept.length * reply.length);
    const requests = naiveRequests(told.accepted.toString("latin1"));
    assert.ok(requests.length >= kept.length);
  }
  const offer = honest.find(({ upgrade }) => upgrade === "websocket");
  const bytes = Buffer.from(offer?.text ?? "", "latin1");
  const switched = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
  const talk = {
    allows: () => true,
    answer: (accepted: Buffer) => Buffer.from(accepted.length < bytes.length ? "" : switched),
    says: [{ bytes, heard: 0 }],
  };
  talkOver(talk, seeded(1), ({ kernel: { mark } }) => mark === "admitted");
});

test("a server's first bytes in the smallest pieces", () => {
  const [{ bytes } = { bytes: Buffer.alloc(0) }] = recorded("hello");
  const talk = {
    allows: () => true,
    answer: (accepted: Buffer) => (accepted.length < bytes.length ? Buffer.alloc(0) : hello.subarray(0, 60)),
    says: [{ bytes, heard: 0 }],
    piecesAtMost: 31,
  };
  for (let seed = 0; seed < seeds; seed++) {
    talkOver(talk, seeded(seed), ({ kernel: { mark } }) => mark === "admitted");
  }
});
