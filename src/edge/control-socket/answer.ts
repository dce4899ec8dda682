// From a request to its answer. Nothing here knows the transport, which decides first who may ask, nor what there is to
// ask.

import { BadRequest, parseBody } from "../../core/api/request-checks.ts";
import { DockerwallError, type ErrorCode, type ErrorReport, messageOf } from "../../errors.ts";
import { methodRoot } from "./protocol.ts";

/** What is served, by name: a function of the request's body as it was parsed. @throws BadRequest, DockerwallError */
export type Served = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

export interface ControlRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  /** Called at most once. @throws BadRequest if it cannot be read */
  readonly readBody: () => Promise<string>;
  /** Whether the client still waits for the answer. Who does not has been told that it failed. */
  readonly isAwaited: () => boolean | Promise<boolean>;
}

export interface ControlAnswer {
  /** Of HTTP. */
  readonly status: number;
  /** For JSON: a report, an empty object, or an ErrorReport. */
  readonly value: unknown;
  /** The methods that the path takes, if it does not take this one. */
  readonly allow?: string;
}

const tooLate = "the request came too late: nobody waits for its answer any more, and nothing was done";

/** Never rejects: a failure becomes an ErrorReport. */
export async function answerRequest(served: Served, request: ControlRequest): Promise<ControlAnswer> {
  const { method, path } = request;
  const name = path.startsWith(methodRoot) ? path.slice(methodRoot.length) : "";
  const answer = Object.hasOwn(served, name) ? served[name] : undefined;
  if (answer === undefined) return refusal(404, "NOT_FOUND", `there is nothing at ${path}`);
  // Following a link asks by GET, and must not change anything.
  if (method !== "POST")
    return { ...refusal(405, "PROTOCOL", `${path} does not take ${method}`), allow: "POST" };
  try {
    const body = parseBody(await request.readBody());
    // The daemon may have stood still for long since this was sent.
    if (!(await request.isAwaited())) return refusal(503, "DAEMON_UNREACHABLE", tooLate);
    return { status: 200, value: (await answer(body)) ?? {} };
  } catch (error) {
    const code = error instanceof DockerwallError ? error.code : "INTERNAL";
    return refusal(error instanceof BadRequest ? error.status : statusOf(code), code, messageOf(error));
  }
}

function refusal(status: number, code: ErrorCode, message: string): ControlAnswer {
  return { status, value: { code, message } satisfies ErrorReport };
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
