// What the daemon can be asked, over any transport: each method is declared beside what answers it, and listed here. What
// the CLI knows of it are types alone.

import type { Served } from "../../edge/control-socket/answer.ts";
import { runInStates } from "../commands-in-state.ts";
import type { ApiParts } from "./context/api-parts.ts";
import type { Route } from "./context/route.ts";
import { doctor } from "./doctor.ts";
import { explain } from "./explain.ts";
import { changeOverrides } from "./overrides.ts";
import { prepareNetwork } from "./prepare-network.ts";
import { quarantine, release } from "./quarantine.ts";
import { replay } from "./replay.ts";
import { stats } from "./stats.ts";
import { status } from "./status.ts";
import { suggest } from "./suggest.ts";
import { uninstall } from "./uninstall.ts";

const routes = {
  stats,
  status,
  doctor,
  prepareNetwork,
  changeOverrides,
  explain,
  suggest,
  replay,
  quarantine,
  release,
  uninstall,
};

type MethodOf<Declared> =
  Declared extends Route<infer Request, infer Answer>
    ? [Request] extends [undefined]
      ? () => Promise<Answer>
      : (request: Request) => Promise<Answer>
    : never;

/** Each method takes one request or none. */
export type ControlApi = { readonly [Name in keyof typeof routes]: MethodOf<(typeof routes)[Name]> };

/** What all routes have in common. */
interface AnyRoute extends Omit<Route<unknown, unknown>, "answer"> {
  readonly answer: (parts: ApiParts) => (request: never) => Promise<unknown>;
}

type AnyMethod = (request: unknown) => Promise<unknown>;

/** Each method is refused in the states that its route does not name. */
export function createControlApi(parts: ApiParts): ControlApi {
  const methods = Object.entries<AnyRoute>(routes).map(([name, route]) => {
    const answer = route.answer(parts) as AnyMethod;
    return [name, (request: unknown) => runInStates(route.states, parts.lifecycle, () => answer(request))];
  });
  return Object.fromEntries(methods) as ControlApi;
}

/** The API as transports serve it: requests are read before they are answered. */
export function serve(api: ControlApi): Served {
  const methods = Object.entries<AnyRoute>(routes).map(([name, route]) => {
    const method = api[name as keyof ControlApi] as AnyMethod;
    return [name, async (body: unknown) => method(route.request(body))];
  });
  return Object.fromEntries(methods) as Served;
}
