// Whatever a hostile client of TLS sends, and the network loses or exchanges: when a connection is let go, its server has
// accepted what was read, and nothing of one that was refused has passed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attack } from "../../../../support/flow/hostile.ts";
import { answerOf, hellosIn } from "../../../../support/flow/tls-answers.ts";
import { seeded } from "../../../../support/seeded.ts";
import { filler, helloFor, record } from "../../../../support/tls/build-hello.ts";

const allowed = "api.example.com";
const rounds = 3_000;

const nested = helloFor("www.evil.example");
const earlyData = record(Buffer.alloc(40, 0x17), 23, 0x0303);
const streams = [
  helloFor(allowed, filler(60)),
  // To a server that begins to read in the middle it is the other one.
  helloFor(allowed, [21, nested]),
  Buffer.concat([helloFor(allowed), earlyData]),
  Buffer.concat([helloFor(allowed), nested]),
  Buffer.concat([helloFor(allowed), helloFor(allowed, filler(3, 51))]),
  Buffer.concat([helloFor(allowed), earlyData, nested]),
  nested,
  helloFor("API.example.com"),
];

test("no play with segments has a server of TLS accept what was not read", () => {
  let [admitted, cut, again] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const random = seeded(round);
    const asksAgain = random(3) === 0;
    const subject = {
      streams,
      nested,
      allows: (name: string) => name === allowed,
      answer: answerOf(asksAgain),
      isFree: () => false,
      // A server reads a second hello only when it has asked for one.
      check: (accepted: Buffer) => {
        const taken = hellosIn(accepted).names.slice(0, asksAgain ? 2 : 1);
        for (const name of taken) assert.equal(name.toLowerCase(), allowed, `seed ${round}`);
      },
    };
    const { kernel, server, connections } = attack(subject, random);
    if (kernel.marks.includes("admitted")) {
      assert.ok(hellosIn(server.accepted).names.length > 0 || connections > 1, `seed ${round}`);
      assert.ok(kernel.notes.some(({ refusal, name }) => refusal === undefined && name === allowed));
    }
    admitted += Number(kernel.marks.includes("admitted"));
    cut += Number(kernel.marks.includes("cut"));
    again += Number(connections > 1);
  }
  // The run must reach what it is about.
  assert.ok(admitted > rounds / 5 && cut > rounds / 4 && again > rounds / 50, `${admitted} ${cut} ${again}`);
});
