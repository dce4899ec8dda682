// Whatever a hostile client of HTTP/1 sends, and the network loses or exchanges: its server reads no request whose host
// is not allowed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attack } from "../../../../support/flow/hostile.ts";
import { evil, get, key, offer, post } from "../../../../support/http/attacks/make.ts";
import { naiveRequests } from "../../../../support/http/naive.ts";
import { seeded } from "../../../../support/seeded.ts";

const allowed = "www.example.org";
const rounds = 3_000;
const replies = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const chunks = post("Transfer-Encoding: chunked", `${evil.length.toString(16)}\r\n${evil}\r\n0\r\n\r\n`);
const socket = offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13");
const h2c = offer("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__");
const streams = [
  get("/") + get("/b"),
  // To a server that begins to read in a body it is another request.
  post(`Content-Length: ${evil.length}`, evil) + get("/"),
  post("Content-Length: 300", evil + "x".repeat(300 - evil.length)) + post("Content-Length: 3", "abc"),
  chunks + get("/"),
  get("/") + evil,
  h2c + get("/"),
  socket,
  evil,
].map((text) => Buffer.from(text, "latin1"));

/** Each answered, by naive reading; an offer of WebSocket is taken now and then. */
function answerOf(takesOffers: boolean): (accepted: Buffer) => Uint8Array {
  return (accepted) => {
    const text = accepted.toString("latin1");
    if (takesOffers && text.startsWith(socket))
      return Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    return Buffer.from(replies.repeat(naiveRequests(text).length));
  };
}

test("no play with segments has a server of HTTP/1 read a request that was not", () => {
  let [requests, admitted, cut, again] = [0, 0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const random = seeded(round);
    const subject = {
      streams,
      nested: Buffer.from(evil),
      allows: (name: string) => name === allowed,
      answer: answerOf(random(2) === 0),
      // Bodies may be anything; what is read of requests by the server is what counts.
      isFree: () => true,
      check: (accepted: Buffer) => {
        const text = accepted.toString("latin1");
        const read = text.startsWith(socket) ? naiveRequests(socket) : naiveRequests(text);
        for (const { hosts } of read) assert.deepEqual([...hosts], [allowed], `seed ${round}`);
        requests += read.length;
      },
    };
    const { kernel, connections } = attack(subject, random);
    admitted += Number(kernel.marks.includes("admitted"));
    cut += Number(kernel.marks.includes("cut"));
    again += Number(connections > 1);
  }
  // The run must reach what it is about.
  assert.ok(
    requests > rounds && admitted > rounds / 200 && cut > rounds / 4 && again > rounds / 50,
    `${requests} ${admitted} ${cut} ${again}`,
  );
});
