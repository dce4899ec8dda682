// Attacks in what a request makes of its connection, and by its size.

import type { HttpRefusal } from "../../../../src/core/name-check/refusals.ts";
import { type Attacks, chunks, get, key, offer, post } from "./make.ts";

export const connection = {
  "connection-option": {
    "the host": post("Connection: close, Host"),
    "the length": post("Connection: Content-Length\r\nContent-Length: 5", "hello"),
    "the coding": post("Connection: keep-alive ,\ttransfer-encoding"),
    "the expectation": post("Connection: Expect\r\nExpect: 100-continue"),
    "in a second field": post("Connection: close\r\nConnection: host"),
  },
  expectation: {
    another: post("Expect: 200-ok"),
    "with something in front": post("Expect: y 100-continue\r\nContent-Length: 5"),
    twice: post("Expect: 100-continue\r\nExpect: 100-continue"),
    nothing: post("Expect:"),
  },
  upgrade: {
    "h2c with a body": offer("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Content-Length: 5"),
    "h2c with chunks": offer("Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: chunked"),
    "h2c without its option": offer("Upgrade: h2c"),
    "h2c in 1.0": offer("Connection: Upgrade", "Upgrade: h2c").replace("1.1", "1.0"),
    h2: offer("Connection: Upgrade", "Upgrade: h2"),
    TLS: offer("Connection: Upgrade", "Upgrade: TLS/1.2"),
    two: offer("Connection: Upgrade", "Upgrade: websocket, h2c", key, "Sec-WebSocket-Version: 13"),
    twice: offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Upgrade: h2c",
      key,
      "Sec-WebSocket-Version: 13",
    ),
    "a blank within": offer("Connection: Upgrade", "Upgrade: h2 c"),
    nothing: offer("Upgrade:"),
    "no key": offer("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "two keys": offer("Connection: Upgrade", "Upgrade: websocket", key, key, "Sec-WebSocket-Version: 13"),
    "no version": offer("Connection: Upgrade", "Upgrade: websocket", key),
    "twice the same": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
    ),
    "two versions": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Version: 13",
    ),
    "another version": offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 1777"),
    "no option": offer("Upgrade: websocket", key, "Sec-WebSocket-Version: 13"),
    "a body": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
      "Content-Length: 5",
    ),
    "another method": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
    ).replace("GET", "POST"),
    "in 1.0": offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13").replace(
      "1.1",
      "1.0",
    ),
  },
  "head-too-long": {
    "one field": post(`X: ${"a".repeat(16_384)}`),
    "a target": get(`/${"a".repeat(16_384)}`),
    "by a byte": post(`X: ${"a".repeat(16_385 - post("X: ").length)}`),
  },
  "too-many-fields": { "101": post(Array.from({ length: 100 }, (_, at) => `X-${at}: y`).join("\r\n")) },
  "trailer-field": {
    "a host": chunks("0", "Host: evil.example", "", ""),
    "a length": chunks("0", "Content-Length: 5", "", "hello"),
    "an underscore": chunks("0", "X: y", "Transfer_Encoding: chunked", "", ""),
    Connection: chunks("0", "connection: upgrade", "", ""),
  },
  "trailers-too-long": {
    one: chunks("0", `X: ${"a".repeat(4096)}`, "", ""),
    many: chunks("0", ...Array.from({ length: 600 }, () => "X: yz"), "", ""),
    "by a byte": chunks("0", `X: ${"a".repeat(4097 - "X: \r\n\r\n".length)}`, "", ""),
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;
