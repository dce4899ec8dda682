// The control API as a table: one route for each method of ControlApi, by name. Every transport serves this table
// (answer.ts) and the CLI uses it (client.ts), so a method without a route does not compile.

import type { ControlApi } from "../../core/model/control-api.ts";
import { fields, flag, nothing, oneOf, optional, type Reader, text, texts, wholeNumber } from "./requests.ts";

export type RouteName = keyof ControlApi;

/** `undefined` for a method without a request. */
export type RequestOf<Name extends RouteName> =
  Parameters<ControlApi[Name]> extends readonly [infer Request] ? Request : undefined;

export type ResponseOf<Name extends RouteName> = Awaited<ReturnType<ControlApi[Name]>>;

export interface Route<Name extends RouteName> {
  /** GET is for questions only: following a link must not change anything. */
  readonly method: "GET" | "POST";
  readonly path: `/v1/${string}`;
  readonly request: Reader<RequestOf<Name>>;
  /** `nothing`: an empty object confirms success. */
  readonly answer: ResponseOf<Name> extends void ? "nothing" : "report";
  /** How long the answer may take. */
  readonly withinMs: number;
}

/** Any of the routes. */
export type AnyRoute = { readonly [Name in RouteName]: Route<Name> }[RouteName];

/** The daemon has the answer at hand. */
const atHandMs = 5_000;
/** The daemon waits for the engine, the kernel or a resolver. */
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
    request: fields({ network: text, wildcards: optional(flag), gone: optional(flag) }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  replay: {
    method: "POST",
    path: "/v1/replay",
    request: fields({ network: text, allow: optional(text), own: optional(texts) }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  quarantine: {
    method: "POST",
    path: "/v1/quarantine",
    request: fields({ container: text }),
    answer: "report",
    withinMs: elsewhereMs,
  },
  release: {
    method: "POST",
    path: "/v1/release",
    request: fields({ container: text }),
    answer: "report",
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

/** The routes at a path, one per method. */
export function routesAt(path: string): readonly RouteName[] {
  return names.filter((name) => routes[name].path === path);
}
