// A flow of HTTP/1: each request is read, bodies pass.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Refusal } from "../../../../../src/core/name-check/refusals.ts";
import { begin, brief, h2c, reply, request, webSocket } from "../../../../support/flow/http-flow.ts";
import { evil, get, post } from "../../../../support/http/attacks/make.ts";

test("requests one after the other, on one connection", () => {
  const { says, answers } = begin();
  assert.equal(says(request), "www.example.org, released, release 1");
  assert.equal(answers(reply), "requests, release 2");
  assert.equal(says(request.slice(0, 9)), "hold 3");
  assert.equal(says(request.slice(9)), "www.example.org, released, release 3,4");
  assert.equal(answers(""), "requests, release 5");
  assert.equal(says(evil), "cut, drop 6, reset, not-allowed");
  assert.equal(says(request), "drop 7");
});

test("many at once: what is behind the last whole one waits with it", () => {
  const { says, answers } = begin();
  assert.equal(says(request + request), "www.example.org, www.example.org, released, release 1");
  assert.equal(says(request), "www.example.org, release 2");
  assert.equal(says(request + request.slice(0, 5)), "www.example.org, hold 3");
  assert.equal(answers(reply), "release 4", "not all of it was acknowledged");
  assert.equal(says(request.slice(5)), "www.example.org, release 3,5");
  assert.equal(answers(reply), "requests, release 6");
  assert.equal(says(request + evil), "cut, drop 7, reset, not-allowed");
});

test("replies are looked at until all requests are acknowledged", () => {
  const { flow, says, answers } = begin();
  says(request);
  says(request);
  assert.equal(answers(reply, request.length), "release 3");
  assert.equal(says("GET", request.length), "release 4");
  assert.equal(answers(reply), "requests, release 5");
  assert.equal(says(evil), "cut, drop 6, reset, not-allowed");
  assert.equal(flow.keptBytes, 0, "nothing is kept of what has ended");
});

test("a body of a known length passes out of order, whatever it is, and a head behind it is read", () => {
  const { says, answers } = begin();
  const head = post("Content-Length: 1000");
  assert.equal(says(head), "www.example.org, released, release 1");
  const body = head.length;
  assert.equal(says("x".repeat(100), body + 300), "release 2");
  assert.equal(says("y".repeat(100), body + 350), "release 3");
  assert.equal(says("z".repeat(100), body), "release 4");
  assert.equal(answers("", body + 100), "requests, release 5");
  assert.equal(says("z".repeat(100), body + 899), "release 6");
  assert.equal(says(evil, body + 1000 + 4), "drop 7", "a gap");
  assert.equal(says(`y${request}`, body + 999), "www.example.org, released, release 8");
  assert.equal(says("y", body + 999), "release 9");
  assert.equal(says("n".repeat(9), body + 999), "cut, drop 10, reset, other-bytes");
});

test("a body in chunks goes in order, and is compared until it is acknowledged", () => {
  const { says, answers } = begin();
  const head = post("Transfer-Encoding: chunked");
  assert.equal(says(head), "www.example.org, released, release 1");
  assert.equal(says("abc\r\n", head.length + 3), "drop 2");
  assert.equal(says("3\r\n", head.length), "release 3");
  assert.equal(answers("HTTP/1.1 100 Continue\r\n\r\n"), "release 4", "it is not between two requests");
  assert.equal(says("abc\r\n0\r\n", head.length + 3), "release 5");
  assert.equal(says("abc\r\n", head.length + 3), "release 6");
  assert.equal(says("\r\n"), "release 7");
  assert.equal(answers(reply), "requests, release 8");
  assert.equal(says(request), "www.example.org, released, release 9");
  assert.equal(says("0", head.length + 8), "release 10", "the server has it");
  assert.equal(says("XXX", head.length + 10 + 2), "cut, drop 11, reset, other-bytes");
});

test("an upload in chunks waits for acknowledgements", () => {
  const { flow, says, answers } = begin();
  const head = post("Transfer-Encoding: chunked");
  const chunk = `10000\r\n${"a".repeat(65_536)}\r\n`;
  says(head);
  let waits = 0;
  for (let at = head.length; at < head.length + 12 * chunk.length; at += chunk.length) {
    if (says(chunk, at).startsWith("drop")) {
      waits++;
      assert.match(answers("", at), /^release/);
      assert.match(says(chunk, at), /^release/);
    }
    assert.ok(flow.keptBytes <= 256 * 1024);
  }
  assert.equal(waits, 3);
});

test("a body of more than the circle of sequence numbers ends where it does", () => {
  const { says, answers } = begin();
  const length = 2 ** 32 + 10;
  const head = post(`Content-Length: ${length}`);
  says(head);
  const step = 2 ** 29;
  assert.match(says("x", head.length + 2 ** 30), /^drop/, "no window is so large");
  for (let at = head.length; at + step < head.length + length; at += step) {
    assert.match(says("x".repeat(10), at), /^release/);
    assert.match(says("x".repeat(10), at + step - 10), /^release/);
    const isNear = head.length + length - at - step < 2 ** 30 - 2 ** 20;
    assert.match(
      answers("", at + step),
      isNear ? /requests|release/ : /^release/,
      "unseen, it could be a circle off",
    );
  }
  assert.match(says("x", head.length + 8 * step - 10), /^release/, "the server may have lost it");
  assert.match(says("x", head.length + 8 * step - 2 ** 21), /^drop/, "it could be a circle off");
  assert.match(says(request, head.length + length), /^www.example.org, released/);
});

test("an offer of h2c holds the client until it is declined", () => {
  const { says, answers } = begin();
  assert.equal(says(h2c), "www.example.org, released, release 1");
  assert.equal(says(request), "drop 2");
  const early = begin();
  early.says(h2c);
  assert.equal(early.answers(reply, h2c.length - 1), "release 2");
  assert.equal(early.says(request), "drop 3", "the server has answered something else");
  assert.equal(answers(reply.slice(0, 8), h2c.length), "release 3");
  assert.equal(answers(reply.slice(8), h2c.length), "requests, release 4");
  assert.equal(says(h2c, h2c.length), "www.example.org, released, release 5");
  assert.equal(says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "drop 6");
  assert.equal(
    answers("HTTP/1.1 101 Switching Protocols\r\n\r\n", 2 * h2c.length),
    "cut, drop 7, reset, switched",
  );
});

test("WebSocket ends the requests when the server takes it", () => {
  const { says, answers } = begin();
  says(webSocket);
  assert.equal(answers("HTTP/1.1 101 Switching"), "admitted, release 2");
  const declined = begin();
  declined.says(webSocket);
  assert.equal(declined.answers("HTTP/1.1 403 Forbidden\r\n"), "requests, release 2");
  assert.equal(declined.says(request), "cut, drop 3, reset, not-switched");
});

for (const [what, refusal, play] of [
  ["WebSocket behind another request", "upgrade", ({ says }) => [says(request), says(webSocket)]],
  ["h2c in one packet with another request", "upgrade", ({ says }) => [says(request + h2c)]],
  ["more in one packet with h2c", "upgrade", ({ says }) => [says(h2c + request)]],
  ["another request in one packet", "not-allowed", ({ says }) => [says(request + evil)]],
  ["an answer that is none", "odd-answer", ({ says, answers }) => [says(h2c), answers("SSH-2.0")]],
  [
    "a chunk that is too long",
    "chunk-end",
    ({ says }) => [says(`${post("Transfer-Encoding: chunked")}1\r\nab\r\n`)],
  ],
  ["other bytes of a head", "other-bytes", ({ says }) => [says(request), says("PUT", 0)]],
  [
    "a request that begins before the connection does, for the one within it",
    "not-allowed",
    ({ says }) => [
      says(post(`Content-Length: ${evil.length}`, evil), -post(`Content-Length: ${evil.length}`).length),
    ],
  ],
  ["HTTP/2", "http-2", ({ says }) => [says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]],
  ["an address", "address-as-name", ({ says }) => [says(get("/", "Host: 192.0.2.1\r\n"))]],
] as const satisfies readonly (readonly [
  string,
  Refusal,
  (flow: ReturnType<typeof begin>) => readonly string[],
])[])
  test(`refused: ${what}`, () =>
    assert.match(play(begin()).at(-1) ?? "", new RegExp(`^cut, drop [0-9,]+, reset, ${refusal}$`)));

test("a server that has answered nothing yet is waited for, one that is silent is not", () => {
  const { flow, says, answers } = begin();
  assert.equal(flow.kind, "begun");
  assert.deepEqual(flow.expire(600_000), [], "nothing was asked");
  says(request.slice(0, 5), 0, 1_000);
  assert.equal(flow.deadlineMs, 11_000);
  says(request.slice(5, 9), 5, 9_000);
  assert.equal(flow.deadlineMs, 11_000, "more bytes give it no more time");
  says(request.slice(9), 9, 10_000);
  assert.equal(flow.deadlineMs, 70_000);
  answers(reply, request.length, 20_000);
  assert.deepEqual([flow.kind, flow.deadlineMs], ["requests", 620_000]);
  says(request.slice(0, 5), request.length, 600_000);
  assert.deepEqual(flow.expire(609_999), []);
  assert.equal(brief(flow.expire(610_000)), "cut, drop 5, reset, late");
  const silent = begin();
  silent.says(request);
  assert.equal(brief(silent.flow.expire(60_000)), "cut, reset, unanswered");
});
