// The daemon's side of the control socket: HTTP with JSON on a unix socket that only root may open.
// Whoever can connect could also do worse, so the limits below guard against accidents (a client that
// hangs, a loop that floods), not against an attacker with root.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { ControlApi, PrepareNetworkRequest, RuleRequest } from "../../core/model/control-api.ts";
import type { ErrorReport } from "../../core/model/report.ts";
import { DockerwallError, type ErrorCode, messageOf } from "../../errors.ts";
import { bindPrivately } from "./bind.ts";

// An ESM import of node:http reads all its lazy exports, WebSocket among them: 30 ms that require() saves.
const http = createRequire(import.meta.url)("node:http") as typeof import("node:http");

export interface ControlServer {
  /** Lets running requests end (2 s at most), and takes the socket away. */
  close(): Promise<void>;
}

const maxBodyBytes = 64 * 1024;
const maxConnections = 32;
const closeGraceMs = 2_000;
const timeouts = { headersTimeout: 3_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 };

/**
 * Listens on `path` with mode 0600. The socket of a dead daemon is replaced.
 * @throws DockerwallError BAD_CONFIG when something else is there, NO_PRIVILEGE.
 */
export async function createControlServer(options: {
  readonly path: string;
  readonly api: ControlApi;
}): Promise<ControlServer> {
  const { path, api } = options;
  const server = http.createServer({ ...timeouts, maxHeaderSize: 8 * 1024 }, listenerOf(api));
  server.maxConnections = maxConnections;
  try {
    const remove = await bindPrivately(server, path);
    return { close: () => close(server, remove) };
  } catch (error) {
    server.close();
    throw error;
  }
}

async function close(server: Server, remove: () => Promise<void>): Promise<void> {
  await remove();
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
  await closed;
  clearTimeout(timer);
}

type Handler = (request: IncomingMessage) => Promise<unknown>;

function listenerOf(api: ControlApi): RequestListener {
  const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
    "/v1/stats": { GET: () => api.stats() },
    "/v1/status": { GET: () => api.status() },
    "/v1/doctor": { GET: () => api.doctor() },
    "/v1/networks": { POST: async (request) => api.prepareNetwork(parseRequest(await readBody(request))) },
    "/v1/explain": {
      POST: async (request) => api.explain(parseTexts(await readBody(request), ["container", "target"])),
    },
    "/v1/suggest": {
      POST: async (request) => api.suggest(parseTexts(await readBody(request), ["network"])),
    },
    "/v1/replay": {
      POST: async (request) => api.replay(parseTexts(await readBody(request), ["network", "allow"])),
    },
    "/v1/rules": { POST: async (request) => api.changeRules(parseRuleRequest(await readBody(request))) },
    "/v1/quarantine": {
      POST: async (request) => api.quarantine(parseTexts(await readBody(request), ["container"])),
    },
    "/v1/release": {
      POST: async (request) => api.release(parseTexts(await readBody(request), ["container"])),
    },
    "/v1/uninstall": { POST: () => api.uninstall() },
  };
  return (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const method = request.method ?? "";
    const handler = methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (methods === undefined) return refuse(response, 404, "NOT_FOUND", `there is nothing at ${path}`);
    if (handler === undefined) {
      response.setHeader("Allow", Object.keys(methods).join(", "));
      return refuse(response, 405, "PROTOCOL", `${path} does not take ${method}`);
    }
    handler(request).then(
      (value) => respond(response, 200, value ?? {}),
      (error: unknown) => {
        if (error instanceof BadRequest) return refuse(response, error.status, "PROTOCOL", error.message);
        const code = error instanceof DockerwallError ? error.code : "INTERNAL";
        return refuse(response, statusOf(code), code, messageOf(error));
      },
    );
  };
}

class BadRequest extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  const report: ErrorReport = { code, message };
  respond(response, status, report);
}

/** One request per connection: there is nothing to gain from keeping it, and much to keep track of. */
function respond(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": body.length,
    Connection: "close",
  });
  response.end(body);
}

function statusOf(code: ErrorCode): number {
  switch (code) {
    case "USAGE":
    case "BAD_ENTRY":
    case "BAD_CONFIG":
    case "PROTOCOL":
      return 400;
    case "NO_PRIVILEGE":
      return 403;
    case "NOT_FOUND":
      return 404;
    case "NETWORK_EXISTS":
    case "DAEMON_RUNNING":
    case "PORT_TAKEN":
      return 409;
    case "ENGINE_UNREACHABLE":
    case "ENGINE_REFUSED":
      return 502;
    case "NOT_ENFORCED":
    case "UNINSTALLED":
    case "DAEMON_UNREACHABLE":
      return 503;
    case "KERNEL_UNSUPPORTED":
    case "KERNEL_REFUSED":
    case "INTERNAL":
      return 500;
    default:
      return code satisfies never;
  }
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else reject(new BadRequest(413, `the request has more than ${maxBodyBytes} bytes`));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
    request.once("close", () => reject(new BadRequest(400, "the request ended early")));
  });
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  } catch (error) {
    throw new BadRequest(400, `the request is not JSON: ${messageOf(error)}`);
  }
}

/** A request of a few texts, all of them there. */
function parseTexts<const Key extends string>(
  body: string,
  keys: readonly Key[],
): Readonly<Record<Key, string>> {
  const values = parseBody(body);
  if (!keys.every((key) => isString(values[key]))) {
    throw new BadRequest(400, `the request must be {${keys.map((key) => `"${key}": "…"`).join(", ")}}`);
  }
  return Object.fromEntries(keys.map((key) => [key, values[key]])) as Record<Key, string>;
}

function parseRequest(body: string): PrepareNetworkRequest {
  const { name, patterns } = parseBody(body);
  const wellFormed = typeof name === "string" && Array.isArray(patterns) && patterns.every(isString);
  if (!wellFormed) throw new BadRequest(400, 'the request must be {"name": "…", "patterns": ["…"]}');
  return { name, patterns };
}

function parseRuleRequest(body: string): RuleRequest {
  const { verb, target, entries, forSeconds } = parseBody(body);
  const knownVerb = verb === "allow" || verb === "deny" || verb === "undo" ? verb : undefined;
  const knownSpan = forSeconds === undefined || (Number.isInteger(forSeconds) && Number(forSeconds) > 0);
  if (
    knownVerb === undefined ||
    !isString(target) ||
    !Array.isArray(entries) ||
    !entries.every(isString) ||
    !knownSpan
  ) {
    throw new BadRequest(
      400,
      'the request must be {"verb": "allow|deny|undo", "target": "…", "entries": ["…"], "forSeconds": 900}',
    );
  }
  return {
    verb: knownVerb,
    target,
    entries,
    forSeconds: forSeconds === undefined ? undefined : Number(forSeconds),
  };
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}
