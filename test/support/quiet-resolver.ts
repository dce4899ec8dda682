// A resolver in the fake internet for tests of load: answers every name with one address, at once. A name that begins
// with `void` is never answered, one with `gone` does not exist, one with `each` has an address of its own.
// argv: its address.

import { createSocket } from "node:dgram";
import { plainName, rawRecord } from "./dns-bytes.ts";
import { answerTo } from "./fake-upstream.ts";

/** Seconds; short, so that nothing of one load is left for the next. */
const ttl = 5;
const soa = rawRecord({
  owner: plainName("load.example"),
  type: 6,
  ttl,
  rdata: Buffer.concat([plainName("ns.example"), plainName("hostmaster.example"), Buffer.alloc(20, 1)]),
});

function noSuchName(query: Buffer): Buffer {
  const head = answerTo(query, [], { flags: 0x8183 });
  head.writeUInt16BE(1, 8);
  return Buffer.concat([head, soa]);
}

/** Counted through, so that no two names within 32,768 have the same. */
let addresses = 0;
function nextAddress(): string {
  addresses = (addresses + 1) % 32_768;
  return `198.18.${128 + (addresses >> 8)}.${addresses & 255}`;
}

const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
socket.on("message", (message, { port, address }) => {
  const kind = message.toString("latin1", 13, 17).toLowerCase();
  if (kind === "void") return;
  const answer =
    kind === "gone"
      ? noSuchName(message)
      : answerTo(message, [kind === "each" ? nextAddress() : "203.0.113.1"], { ttl });
  socket.send(answer, port, address);
});
socket.on("error", () => undefined);
socket.bind(53, process.argv[2], () => console.log("ready"));
