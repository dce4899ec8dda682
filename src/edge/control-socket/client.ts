// The CLI's side of the control socket. It speaks for an absent daemon: every failure ends in a sentence that says what
// to do. One HTTP request per connection, written by hand: node:http, even by require(), costs each start 20 ms of CPU
// time.

import { connect } from "node:net";
import { DockerwallError, isErrorCode, messageOf } from "../../errors.ts";
import { monotonicMs } from "../kernel/monotonic.ts";
import { systemCode } from "../kernel/system-error.ts";
import { methodRoot, untilHeader } from "./protocol.ts";

const maxAnswerBytes = 64 * 1024 * 1024;

/** What can be asked: each method takes one request or none. */
type Methods<Api> = { readonly [Name in keyof Api]: (...request: never[]) => Promise<unknown> };

/** Asks by the name of a method, with its request if it takes one. */
export type Ask<Api extends Methods<Api>> = <Name extends keyof Api & string>(
  name: Name,
  ...request: Parameters<Api[Name]>
) => ReturnType<Api[Name]>;

/**
 * The daemon at the other end of `path`; every question opens a new connection. What it throws is the daemon's own
 * DockerwallError, or DAEMON_UNREACHABLE, NO_PRIVILEGE, PROTOCOL.
 * @param withinMs how long the answer may take
 */
export function createControlClient<Api extends Methods<Api>>({
  path,
  withinMs,
}: {
  readonly path: string;
  readonly withinMs: number;
}): Ask<Api> {
  return ((name, ...[request]) => ask(path, withinMs, { name, request })) as Ask<Api>;
}

/** True if there is no daemon at all, as opposed to one that does not answer. */
export function daemonIsAbsent(error: unknown): boolean {
  if (!(error instanceof DockerwallError) || error.code !== "DAEMON_UNREACHABLE") return false;
  const code = systemCode(error.cause);
  return code === "ENOENT" || code === "ECONNREFUSED";
}

interface Question {
  readonly name: string;
  readonly request: unknown;
}

async function ask(path: string, withinMs: number, question: Question): Promise<unknown> {
  let answer: Buffer;
  try {
    answer = await exchange(path, withinMs, question);
  } catch (error) {
    throw describeFailure(error, path, withinMs);
  }
  return parseAnswer(answer, path);
}

/** Sends the request, and returns everything that the daemon sends until it closes the connection. */
function exchange(path: string, withinMs: number, { name, request }: Question): Promise<Buffer> {
  const body = JSON.stringify(request ?? {});
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new TimeoutError()), withinMs);
    socket.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxAnswerBytes) chunks.push(chunk);
      else socket.destroy(new Error(`its answer has more than ${maxAnswerBytes} bytes`));
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.write(
      [
        `POST ${methodRoot}${name} HTTP/1.1`,
        "Host: dockerwall",
        "Connection: close",
        "Content-Type: application/json",
        `${untilHeader}: ${monotonicMs() + withinMs}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        "",
        body,
      ].join("\r\n"),
    );
  });
}

class TimeoutError extends Error {
  readonly code = "ETIMEDOUT";
}

function parseAnswer(answer: Buffer, path: string): object {
  if (answer.length === 0) throw closedEarly(path, undefined);
  const end = answer.indexOf("\r\n\r\n");
  const head = answer.toString("latin1", 0, Math.max(0, end));
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3}) /.exec(head)?.[1]);
  const length = Number(/^content-length: *([0-9]+)$/im.exec(head)?.[1]);
  const body = answer.subarray(end + 4);
  if (body.length < length) throw closedEarly(path, undefined);
  const value = parseJson(body.toString("utf8"));
  if (typeof value === "object" && value !== null) {
    if (status === 200) return value;
    const { code, message } = value as { readonly code?: unknown; readonly message?: unknown };
    if (isErrorCode(code) && typeof message === "string") throw new DockerwallError(code, message);
  }
  throw new DockerwallError(
    "PROTOCOL",
    `what answers at ${path} is not a dockerwall daemon; set DOCKERWALL_CONTROL_SOCKET to the daemon's socket`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const startIt = "start it with `docker compose up -d dockerwall`";

function describeFailure(error: unknown, path: string, withinMs: number): DockerwallError {
  const cause = { cause: error };
  switch (systemCode(error)) {
    case "ENOENT":
      return new DockerwallError(
        "DAEMON_UNREACHABLE",
        `the daemon is not running: no socket at ${path}; ${startIt}`,
        cause,
      );
    case "ECONNREFUSED":
      return new DockerwallError(
        "DAEMON_UNREACHABLE",
        `the daemon is not running: nothing listens at ${path}; ${startIt}`,
        cause,
      );
    case "EACCES":
    case "EPERM":
      return new DockerwallError(
        "NO_PRIVILEGE",
        `only root may use the control socket ${path}; run as root`,
        cause,
      );
    case "ETIMEDOUT":
      return new DockerwallError(
        "DAEMON_UNREACHABLE",
        `the daemon did not answer at ${path} within ${withinMs / 1000} s; see \`docker logs dockerwall\``,
        cause,
      );
    case "ECONNRESET":
    case "EPIPE":
      return closedEarly(path, error);
    default:
      return new DockerwallError(
        "PROTOCOL",
        `cannot talk to the daemon at ${path}: ${messageOf(error)}`,
        cause,
      );
  }
}

function closedEarly(path: string, error: unknown): DockerwallError {
  return new DockerwallError(
    "DAEMON_UNREACHABLE",
    `the daemon closed the connection at ${path} without an answer; see \`docker logs dockerwall\``,
    { cause: error },
  );
}
