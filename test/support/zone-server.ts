// A resolver in the fake internet that knows the names of fake-zone.ts, over UDP and TCP. argv: its address.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { createFrameReader, renderFrame } from "../../src/core/dns/wire/framing.ts";
import { answerFromZone } from "./fake-zone.ts";

const [, , address = ""] = process.argv;
const udp = createSocket("udp4");
udp.on("message", (message, client) => udp.send(answerFromZone(message, 1232), client.port, client.address));
udp.bind(53, address);
await once(udp, "listening");
const tcp = createServer((socket) => {
  const frames = createFrameReader();
  socket.on("error", () => socket.destroy());
  socket.on("data", (piece) => {
    for (const message of frames.push(piece))
      socket.write(renderFrame(answerFromZone(Buffer.from(message), 65_535)));
  });
});
tcp.listen(53, address);
await once(tcp, "listening");
console.log("ready");
