// The table of flows: when each begins and ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tcpFlags } from "../../../../src/core/name-check/segment.ts";
import { clientAddress, ofClient, ofServer } from "../../../support/flow/packets.ts";
import { asking, name, Play, refusals } from "../../../support/flow/play.ts";

test("a connection from its SYN-ACK to its stamp, and what is queued behind it", () => {
  const play = new Play();
  const ends = { client: 2, port: 40_000 };
  assert.ok(play.isAdmitted(ends));
  assert.deepEqual(
    play.answers(ends, asking.length).map(({ kind }) => kind),
    ["release"],
  );
  assert.equal(play.table.nextExpiryMs(), 10_000);
  assert.deepEqual(play.table.expire(10_000), []);
  assert.equal(play.table.nextExpiryMs(), undefined);
});

test("one whose beginning was not seen is cut, and what has no payload passes", () => {
  const play = new Play();
  const ends = { client: 2, port: 40_000 };
  assert.deepEqual(
    play.says(ends, 0, new Uint8Array(0)).map(({ kind }) => kind),
    ["release"],
  );
  const steps = play.says(ends, 0, asking);
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ["mark", "drop", "reset", "note"],
  );
  assert.deepEqual(refusals(steps), ["40000 unknown"]);
  assert.deepEqual(refusals(play.answers(ends, 0)), ["40000 unknown"]);
});

test("a SYN-ACK of another connection begins anew, one that is sent again does not", () => {
  const play = new Play();
  const ends = { client: 2, port: 40_000 };
  play.begin(ends);
  play.says(ends, 0, asking.subarray(0, 30));
  assert.deepEqual(
    play.begin(ends).map(({ kind }) => kind),
    ["release"],
  );
  const other = ofServer({ seq: 500, ack: 2000, flags: tcpFlags.syn | tcpFlags.ack }, ends);
  assert.deepEqual(
    play.take(other, "server").map(({ kind }) => kind),
    ["drop", "release"],
  );
  assert.deepEqual(
    play.says(ends, 30, asking.subarray(30)).map(({ kind }) => kind),
    ["drop"],
  );
  const whole = ofClient({ seq: 2000, ack: 501, payload: asking }, ends);
  assert.deepEqual(
    play.take(whole, "client").map(({ kind }) => kind),
    ["note", "mark", "release"],
  );
});

test("a SYN for another connection ends the one before", () => {
  const play = new Play();
  const ends = { client: 2, port: 40_000 };
  play.begin(ends);
  play.says(ends, 0, asking.subarray(0, 30));
  const again = ofClient({ seq: 999, flags: tcpFlags.syn }, ends);
  assert.deepEqual(
    play.take(again, "client").map(({ kind }) => kind),
    ["release"],
  );
  const other = ofClient({ seq: 1500, flags: tcpFlags.syn }, ends);
  assert.deepEqual(
    play.take(other, "client").map(({ kind }) => kind),
    ["drop", "release"],
  );
  assert.deepEqual(refusals(play.says(ends, 30, asking.subarray(30))), ["40000 unknown"]);
});

test("each flow has its own time", () => {
  const play = new Play();
  const slow = { client: 2, port: 1 };
  const released = { client: 2, port: 2 };
  play.begin(slow);
  assert.equal(play.table.nextExpiryMs(), 600_000);
  play.nowMs = 5_000;
  play.says(slow, 0, asking.subarray(0, 9));
  play.nowMs = 6_000;
  play.begin(released);
  play.says(released, 0, asking);
  assert.equal(play.table.nextExpiryMs(), 15_000);
  assert.deepEqual(play.table.expire(14_999), []);
  assert.deepEqual(refusals(play.table.expire(15_000)), ["1 late"]);
  assert.equal(play.table.nextExpiryMs(), 25_000, "what is queued behind it is known so long");
  assert.deepEqual(play.table.expire(65_999), []);
  assert.deepEqual(refusals(play.table.expire(66_000)), ["2 unanswered"]);
  assert.deepEqual(play.table.expire(80_000), []);
  assert.equal(play.table.nextExpiryMs(), undefined);
});

test("a flow that goes on has its time anew, and one that waits longer goes before it", () => {
  const play = new Play();
  const request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
  const [one, other] = [
    { client: 2, port: 1 },
    { client: 2, port: 2 },
  ];
  for (const ends of [one, other]) {
    play.begin(ends);
    play.says(ends, 0, request);
    play.answers(ends, request.length);
    play.nowMs += 1000;
  }
  play.says(one, 0, request.subarray(0, 1));
  assert.equal(play.table.nextExpiryMs(), 601_000);
  assert.deepEqual(play.table.expire(601_999), []);
  assert.equal(play.table.nextExpiryMs(), 602_000);
  assert.deepEqual(refusals(play.says(one, request.length, request)), []);
  assert.deepEqual(refusals(play.says(other, request.length, request)), ["2 unknown"]);
});

test("who is forgotten has nothing held any more", () => {
  const play = new Play();
  for (const port of [1, 2, 3]) {
    play.begin({ client: 2, port });
    play.says({ client: 2, port }, 0, asking.subarray(0, 9));
  }
  play.begin({ client: 3, port: 1 });
  play.says({ client: 3, port: 1 }, 0, asking.subarray(0, 9));
  const steps = play.table.forget(clientAddress(2));
  assert.deepEqual(
    steps.map(({ kind, key }) => `${kind} ${key.clientPort}`),
    ["drop 1", "drop 2", "drop 3"],
  );
  assert.deepEqual(refusals(play.table.expire(10_000)), ["1 late"]);
});
