// The control API as a table: a route for each method of ControlApi, by its name. Whatever carries requests serves them
// by this table (answer.ts), and the CLI asks by it (client.ts), so that a method without a route does not compile.

import type { ControlApi } from "../../core/model/control-api.ts";
import { fields, nothing, oneOf, optional, type Reader, text, texts, wholeNumber } from "./requests.ts";

export type RouteName = keyof ControlApi;

/** `undefined` for a method that takes none. */
export type RequestOf<Name extends RouteName> =
  Parameters<ControlApi[Name]> extends readonly [infer Request] ? Request : undefined;

export type ResponseOf<Name extends RouteName> = Awaited<ReturnType<ControlApi[Name]>>;

export interface Route<Name extends RouteName> {
  /** Only a question may be asked by GET: whoever follows a link changes nothing. */
  readonly method: "GET" | "POST";
  readonly path: `/v1/${string}`;
  readonly request: Reader<RequestOf<Name>>;
  /** `nothing`: an empty object says that it is done. */
  readonly answer: ResponseOf<Name> extends void ? "nothing" : "report";
  /** How long its answer may take. */
  readonly withinMs: number;
}

/** One of them, whichever it is. */
export type AnyRoute = { readonly [Name in RouteName]: Route<Name> }[RouteName];

/** What is told is at hand. */
const atHandMs = 5_000;
/** The engine, the kernel or a resolver is waited for. */
const elsewhereMs = 60_000;

export const routes: { readonly [Name in RouteName]: Route<Name> } = {
  stats: { method: "GET", path: "/v1/stats", request: nothing, answer: "report", withinMs: atHandMs },
  status: { method: "GET", path: "/v1/status", request: nothing, answer: "report", withinMs: atHandMs },
  doctor: { method: "GET", path: "/v1/doctor", request: nothing, answer: "report", withinMs: elsewhereMs },
  prepareNetwork: {
    method: "POST",
    path: "/v1/networks",
    request: fields({ name: text, patterns: texts }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  changeOverrides: {
    method: "POST",
    path: "/v1/overrides",
    request: fields({
      verb: oneOf(["allow", "deny", "undo"]),
      target: text,
      entries: texts,
      forSeconds: optional(wholeNumber(1)),
    }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  explain: {
    method: "POST",
    path: "/v1/explain",
    request: fields({ container: text, target: text }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  suggest: {
    method: "POST",
    path: "/v1/suggest",
    request: fields({ network: text }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  replay: {
    method: "POST",
    path: "/v1/replay",
    request: fields({ network: text, allow: text }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  quarantine: {
    method: "POST",
    path: "/v1/quarantine",
    request: fields({ container: text }),
    answer: "nothing",
    withinMs: elsewhereMs,
  },
  release: {
    method: "POST",
    path: "/v1/release",
    request: fields({ container: text }),
    answer: "nothing",
    withinMs: elsewhereMs,
  },
  uninstall: {
    method: "POST",
    path: "/v1/uninstall",
    request: nothing,
    answer: "nothing",
    withinMs: elsewhereMs,
  },
};

const names = Object.keys(routes) as readonly RouteName[];

/** The routes at a path, by their methods. */
export function routesAt(path: string): readonly RouteName[] {
  return names.filter((name) => routes[name].path === path);
}
