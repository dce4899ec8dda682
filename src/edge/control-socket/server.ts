// The daemon's side of the control socket: HTTP with JSON on a unix socket that only root may open. A client that can
// connect could do worse anyway, so the limits below guard against accidents (a client that hangs, a loop that floods),
// not against an attacker with root.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BadRequest } from "../../core/api/request-checks.ts";
import { contained, type OnFailure } from "../../core/contain.ts";
import { monotonicMs } from "../kernel/monotonic.ts";
import { answerRequest, type ControlAnswer, type Served } from "./answer.ts";
import { bindPrivately } from "./bind.ts";
import { untilHeader } from "./protocol.ts";

// An ESM import of node:http reads all its lazy exports, WebSocket among them: 30 ms that require() saves.
const http = createRequire(import.meta.url)("node:http") as typeof import("node:http");

export interface ControlServer {
  /** Removes the socket, and lets running requests end (2 s at most). */
  close(): Promise<void>;
}

const maxBodyBytes = 64 * 1024;
const maxConnections = 32;
const closeGraceMs = 2_000;
const timeouts = { headersTimeout: 3_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 };

/**
 * Listens on `path` with mode 0600. The socket of a dead daemon is replaced.
 * @throws DockerwallError BAD_CONFIG if something else is there, NO_PRIVILEGE.
 */
export async function createControlServer(options: {
  readonly path: string;
  readonly served: Served;
  /** Called with why the kernel would not hand over a connection; the next one is taken all the same. */
  readonly onFailure?: (error: unknown) => void;
}): Promise<ControlServer> {
  const { path, served } = options;
  const server = http.createServer({ ...timeouts, maxHeaderSize: 8 * 1024 }, (request, response) => {
    const asked = {
      method: request.method ?? "",
      path: (request.url ?? "").split("?", 1)[0] ?? "",
      readBody: () => readBody(request),
      isAwaited: () => isAwaited(request),
    };
    answerRequest(served, asked)
      .then((answer) => respond(response, answer))
      .catch(() => response.destroy());
  });
  server.maxConnections = maxConnections;
  try {
    const remove = await bindPrivately(server, path);
    const onFailure: OnFailure = (error) => options.onFailure?.(error);
    server.on("error", onFailure);
    return { close: () => close(server, remove, onFailure) };
  } catch (error) {
    server.close();
    throw error;
  }
}

async function close(server: Server, remove: () => Promise<void>, onFailure: OnFailure): Promise<void> {
  await remove();
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(
    contained(() => server.closeAllConnections(), onFailure),
    closeGraceMs,
  );
  await closed;
  clearTimeout(timer);
}

/** One request per connection: keeping it open would gain nothing, and need bookkeeping. */
function respond(response: ServerResponse, { status, value, allow }: ControlAnswer): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": body.length,
    ...(allow === undefined ? {} : { Allow: allow }),
    Connection: "close",
  });
  response.end(body);
}

/** Not by a client that has set an end which is past, or that is gone. */
async function isAwaited({ headers, socket }: IncomingMessage): Promise<boolean> {
  const until = headers[untilHeader];
  if (until !== undefined && !(monotonicMs() <= Number(until))) return false;
  // That the client has closed the connection after its request is heard in the turn after the one that reads the request.
  await nextTurn();
  await nextTurn();
  return socket.writable;
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else reject(new BadRequest(`the request has more than ${maxBodyBytes} bytes; send a shorter one`, 413));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
    request.once("close", () => reject(new BadRequest("the request ended early")));
  });
}
