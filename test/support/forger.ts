// A process that plays a slow resolver, and off-path attackers who flood answers in its name: they know its address
// and the question, not the port, the id, nor the letters' case. Prints its port; ends with its parent's pipe, and says
// how many it has sent and how many queries it has got.

import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { createFrameReader, renderFrame } from "../../src/core/dns/wire/framing.ts";
import { answerTo } from "./fake-upstream.ts";

const [firstPort = 0, lastPort = 0] = process.argv.slice(2).map(Number);
const slowMs = 300;
const truth = "203.0.113.1";
const lie = "203.0.113.66";

const socket = createSocket("udp4");
const names: string[] = [];
let asked = 0;
let sent = 0;
socket.on("message", (message, { port, address }) => {
  asked += 1;
  let end = 12;
  while (message[end] !== 0) end += 1 + (message[end] ?? 0);
  // What everybody may know: which name is being asked for right now.
  names.push(message.toString("latin1", 12, end + 1).toLowerCase());
  if (names.length > 8) names.shift();
  setTimeout(() => socket.send(answerTo(message, [truth]), port, address), slowMs);
});
socket.on("error", () => undefined);
socket.bind(0, "127.0.0.1", () => {
  const { port } = socket.address();
  const tcp = createServer((connection) => {
    const frames = createFrameReader();
    connection.on("error", () => undefined);
    connection.on("data", (piece) => {
      for (const message of frames.push(piece))
        setTimeout(() => connection.write(renderFrame(answerTo(message, [truth]))), slowMs);
    });
  });
  tcp.listen(port, "127.0.0.1", () => process.stdout.write(`${port}\n`));
  forge();
});

function forge(): void {
  const own = socket.address().port;
  const name = names.at(Math.floor(Math.random() * names.length));
  if (name !== undefined) {
    const query = Buffer.concat([
      Buffer.alloc(12),
      Buffer.from(name, "latin1"),
      Buffer.from("\0\x01\0\x01", "latin1"),
    ]);
    for (let count = 0; count < 200; count++) {
      const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
      if (port === own) continue;
      socket.send(answerTo(query, [lie], { id: Math.floor(Math.random() * 65_536) }), port, "127.0.0.1");
      sent += 1;
    }
  }
  setImmediate(forge);
}

process.stdin.on("end", () => {
  process.stdout.write(`${JSON.stringify({ sent, asked })}\n`, () => process.exit());
});
process.stdin.resume();
