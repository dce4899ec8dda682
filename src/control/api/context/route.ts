// What the daemon can be asked by one method of the control API: how the request is read, what answers it, and in which
// states of the daemon.

import type { Reader } from "../../../core/api/request-checks.ts";
import { type CommandStates, whileInForce } from "../../commands-in-state.ts";
import type { ApiParts } from "./api-parts.ts";

export interface Route<Request, Answer> {
  readonly request: Reader<Request>;
  /** The answer is plain data, or nothing. */
  readonly answer: (parts: ApiParts) => (request: Request) => Promise<Answer>;
  /** Nothing else decides whether it is refused for the state of the daemon. */
  readonly states: CommandStates;
}

export function route<Request, Answer>(
  request: Reader<Request>,
  answer: (parts: ApiParts) => (request: Request) => Promise<Answer>,
  states = whileInForce,
): Route<Request, Answer> {
  return { request, answer, states };
}
