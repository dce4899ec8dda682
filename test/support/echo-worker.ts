// A worker thread that serves sockets which were opened elsewhere, in another network namespace.

import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

interface Served {
  readonly prefix: string;
  readonly udpFd: number;
  readonly tcpFd: number;
}

for (const { prefix, udpFd, tcpFd } of workerData as readonly Served[]) {
  const udp = createSocket("udp4");
  udp.on("message", (text, peer) => udp.send(`${prefix}:${text}`, peer.port, peer.address));
  udp.bind({ fd: udpFd });
  const tcp = createServer((connection) => {
    connection.on("error", () => undefined);
    connection.on("data", (text) => connection.end(`${prefix}:${text}`));
  });
  tcp.listen({ fd: tcpFd });
}
setImmediate(() => parentPort?.postMessage("ready"));
