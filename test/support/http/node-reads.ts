// Requests as the parser of Node's own server reads them, without a network.

import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";

export interface NodeRequest {
  readonly method: string | undefined;
  readonly host: string | undefined;
  /** What the body says, in bytes. */
  readonly content: number;
}

/** Those that it took whole, in their order; what it refuses, and all behind it, is missing. */
export function nodeReads(bytes: Uint8Array): Promise<readonly NodeRequest[]> {
  const taken: NodeRequest[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let content = 0;
    request.on("data", (piece: Buffer) => (content += piece.length));
    request.on("error", () => {});
    request.on("end", () => {
      taken.push({ method: request.method, host: request.headers.host, content });
      response.end();
    });
  });
  // A refusal ends the connection, as all that is sent does.
  server.on("clientError", (_error, socket) => socket.destroy());
  const { promise, resolve } = Promise.withResolvers<readonly NodeRequest[]>();
  const socket = new Duplex({
    read: () => {},
    write: (_piece, _encoding, done) => done(),
    final: (done) => done(),
  });
  socket.on("close", () => resolve(taken));
  socket.on("error", () => {});
  server.emit("connection", socket);
  socket.push(bytes);
  socket.push(null);
  return promise;
}
