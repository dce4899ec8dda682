// A resolver in the fake internet for tests of load: answers every name with one address, at once, but those that
// begin with `void` never. argv: its address.

import { createSocket } from "node:dgram";
import { answerTo } from "./fake-upstream.ts";

const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
socket.on("message", (message, { port, address }) => {
  if (message.toString("latin1", 13, 17).toLowerCase() === "void") return;
  socket.send(answerTo(message, ["203.0.113.1"], { ttl: 5 }), port, address);
});
socket.on("error", () => undefined);
socket.bind(53, process.argv[2], () => console.log("ready"));
