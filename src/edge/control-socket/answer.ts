// From a request to its answer, by the table of routes. Nothing here knows the transport, which decides first who may
// ask.

import {
  type ControlApi,
  type RequestOf,
  type ResponseOf,
  type RouteName,
  routes,
} from "../../core/api/control-api.ts";
import { BadRequest, parseBody } from "../../core/api/request-checks.ts";
import type { ErrorReport } from "../../core/model/report.ts";
import { DockerwallError, type ErrorCode, messageOf } from "../../errors.ts";

export interface ControlRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  /** Called at most once, and only if a body is needed. @throws BadRequest if it cannot be read */
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

const names = Object.keys(routes) as readonly RouteName[];

const tooLate = "the request came too late: nobody waits for its answer any more, and nothing was done";

/** Never rejects: a failure becomes an ErrorReport. */
export async function answerRequest(api: ControlApi, request: ControlRequest): Promise<ControlAnswer> {
  const { method, path } = request;
  const found = names.filter((each) => routes[each].path === path);
  if (found.length === 0) return refusal(404, "NOT_FOUND", `there is nothing at ${path}`);
  const name = found.find((each) => routes[each].method === method);
  if (name === undefined) {
    const allow = found.map((each) => routes[each].method).join(", ");
    return { ...refusal(405, "PROTOCOL", `${path} does not take ${method}`), allow };
  }
  try {
    const body = method === "GET" ? {} : parseBody(await request.readBody());
    // The daemon may have stood still for long since this was sent.
    if (!(await request.isAwaited())) return refusal(503, "DAEMON_UNREACHABLE", tooLate);
    const value = await call(api, name, body);
    return { status: 200, value: routes[name].answer === "nothing" ? {} : value };
  } catch (error) {
    const code = error instanceof DockerwallError ? error.code : "INTERNAL";
    return refusal(error instanceof BadRequest ? error.status : statusOf(code), code, messageOf(error));
  }
}

type Handlers = {
  readonly [Name in RouteName]: (request: RequestOf<Name>) => Promise<ResponseOf<Name>>;
};

function call<Name extends RouteName>(api: Handlers, name: Name, body: unknown): Promise<ResponseOf<Name>> {
  return api[name](routes[name].request(body));
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
