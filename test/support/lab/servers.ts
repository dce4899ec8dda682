// What listens in the fake internet: web servers, echo servers, and a DNS server that answers everything.
// Runs as a process of its own inside the internet's namespace; argv: certificate, key.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, isIPv6, type Socket } from "node:net";
import { internetAddresses, ports, udpAddresses } from "./addresses.ts";
import { baitAnswer } from "./bait.ts";

/** A dual-stack socket shows IPv4 as ::ffff:a.b.c.d. */
const unmapped = (address = ""): string => address.replace(/^::ffff:/, "");

/** Tells the client what arrived. `/bytes/N` sends N bytes, `/drip` a line every 100 ms for ever, `/status/N` that status. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { socket, url = "/", headers } = request;
  const [, verb, amount] = url.split("/");
  response.setHeader("x-lab", "dockerwall");
  if (verb === "bytes") {
    response.end(Buffer.alloc(Number(amount)));
  } else if (verb === "drip") {
    const timer = setInterval(() => response.write("drip\n"), 100);
    response.on("close", () => clearInterval(timer));
  } else {
    response.statusCode = verb === "status" ? Number(amount) : 200;
    const seen = {
      ok: true,
      host: headers.host,
      url,
      server: unmapped(socket.localAddress),
      port: socket.localPort,
      client: unmapped(socket.remoteAddress),
    };
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(seen)}\n`);
  }
}

function echo(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
}

function baitByTcp(socket: Socket): void {
  let pending = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
      const size = pending.readUInt16BE(0);
      const reply = baitAnswer(pending.subarray(2, size + 2));
      pending = pending.subarray(size + 2);
      if (reply === undefined) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
    }
  });
}

type Listener = { listen: (port: number, host?: string) => unknown };

async function listen(server: Listener & NodeJS.EventEmitter, port: number, host?: string): Promise<void> {
  server.listen(port, host);
  await once(server, "listening");
}

async function bindUdp(
  address: string,
  port: number,
  reply: (message: Buffer) => Buffer | undefined,
): Promise<void> {
  const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
  socket.on("message", (message, client) => {
    const text = reply(message);
    if (text !== undefined) socket.send(text, client.port, client.address);
  });
  socket.on("error", (error) => console.error(`udp ${address} ${port}: ${error.message}`));
  socket.bind(port, address);
  await once(socket, "listening");
}

const [certificate = "", key = ""] = process.argv.slice(2);
const identity = { cert: readFileSync(certificate), key: readFileSync(key) };
await Promise.all([
  ...ports.http.map((port) => listen(createHttpServer(answer), port)),
  ...ports.https.map((port) => listen(createHttpsServer(identity, answer), port)),
  ...ports.echo.map((port) => listen(createTcpServer(echo), port)),
  ...ports.echo.flatMap((port) =>
    udpAddresses.map((address) => bindUdp(address, port, (message) => message)),
  ),
  ...ports.evilDns.flatMap((port) =>
    [internetAddresses.evil, internetAddresses.evil6].flatMap((address) => [
      listen(createTcpServer(baitByTcp), port, address),
      bindUdp(address, port, baitAnswer),
    ]),
  ),
]);
console.log("ready");
