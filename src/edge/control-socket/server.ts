// The daemon's side of the control socket: HTTP with JSON on a unix socket that only root may open.
// Whoever can connect could also do worse, so the limits below guard against accidents (a client that
// hangs, a loop that floods), not against an attacker with root.

import { chmod, link, lstat, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { ControlApi, PrepareNetworkRequest, RuleRequest } from "../../core/model/control-api.ts";
import type { ErrorReport } from "../../core/model/report.ts";
import { DockerwallError, type ErrorCode, messageOf } from "../../errors.ts";
import { systemCode } from "../kernel/system-error.ts";

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
 * @throws DockerwallError DAEMON_RUNNING when a living daemon answers there, NO_PRIVILEGE, BAD_CONFIG.
 */
export async function createControlServer(options: {
  readonly path: string;
  readonly api: ControlApi;
}): Promise<ControlServer> {
  const { path, api } = options;
  const server = http.createServer({ ...timeouts, maxHeaderSize: 8 * 1024 }, listenerOf(api));
  server.maxConnections = maxConnections;
  try {
    const inode = await bindPrivately(server, path);
    return { close: () => close(server, path, inode) };
  } catch (error) {
    server.close();
    throw describeBindError(error, path);
  }
}

/**
 * Binds in a fresh 0700 folder, restricts the socket, and only then links it to its real name: nobody can
 * ever connect to a socket that is more open than it should be.
 */
async function bindPrivately(server: Server, path: string): Promise<bigint> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(dirname(path), ".c-"));
  try {
    const socket = join(folder, "s");
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: socket }, resolve);
    });
    await chmod(socket, 0o600);
    const { ino } = await lstat(socket, { bigint: true });
    await claim(socket, path);
    return ino;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Links `socket` to `path`. A socket on which nobody answers is replaced, by one daemon only: whoever first
 * links its own to a name made of the dead one's identity. That name is a claim of the same kind, so that
 * who dies while holding it is in nobody's way.
 */
async function claim(socket: string, path: string): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const linked = await link(socket, path).then(() => true, ignoreExisting);
    if (linked === true) return;
    const found = await lstat(path, { bigint: true }).catch(ignoreMissing);
    if (found === undefined) continue;
    if (!found.isSocket()) {
      throw new DockerwallError("BAD_CONFIG", `${path} is in the way and not a socket; remove it`);
    }
    if (await answers(path)) break;
    const takeover = join(dirname(path), `.t-${found.ino}-${found.birthtimeNs}`);
    await claim(socket, takeover);
    const still = await lstat(path, { bigint: true }).catch(ignoreMissing);
    if (still?.ino === found.ino) return rename(takeover, path);
    await rm(takeover, { force: true });
  }
  throw new DockerwallError(
    "DAEMON_RUNNING",
    "another dockerwall daemon is running here; stop it first, or choose another --control-socket",
  );
}

/** True unless the kernel says that nobody listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: 2_000 });
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(true));
    socket.once("error", (error) => {
      const code = systemCode(error);
      settle(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}

async function close(server: Server, path: string, inode: bigint): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch(ignoreMissing);
  if (found?.ino === inode) await rm(path, { force: true });
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
  await closed;
  clearTimeout(timer);
}

function describeBindError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new DockerwallError(
      "NO_PRIVILEGE",
      `the control socket ${path} cannot be created (${code}); run as root`,
      {
        cause: error,
      },
    );
  }
  return error;
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

function ignoreExisting(error: unknown): undefined {
  if (systemCode(error) !== "EEXIST") throw error;
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
}
