import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlApi, serve } from "../../../../src/control/api/control-api.ts";
import { answerRequest } from "../../../../src/edge/control-socket/answer.ts";
import { DockerwallError } from "../../../../src/errors.ts";

/** Every method of an API that gives back what it was asked, as every handler takes one request at most. */
const echo = new Proxy({} as ControlApi, {
  get: (_target, name) => (request: unknown) => Promise.resolve({ name, request }),
});
const served = serve(echo);

const isAwaited = (): boolean => true;

function ask(method: string, path: string, body = "") {
  return answerRequest(served, { method, path, readBody: () => Promise.resolve(body), isAwaited });
}

/** What each route accepts, as its handler gets it. */
const accepted: { readonly [Name in keyof ControlApi]: readonly unknown[] } = {
  stats: [undefined],
  status: [undefined],
  doctor: [undefined],
  uninstall: [undefined],
  prepareNetwork: [
    { name: "n", patterns: ["a.example.com"] },
    { name: "", patterns: [] },
  ],
  changeOverrides: [
    { verb: "allow", target: "t", entries: ["example.com"], forSeconds: 900 },
    { verb: "undo", target: "t", entries: [], forSeconds: undefined },
  ],
  explain: [{ container: "c", target: "example.com:443" }],
  suggest: [{ network: "n", wildcards: true, gone: undefined }],
  replay: [
    { network: "n", allow: "example.com", own: [] },
    { network: "n", allow: undefined, own: ["web=example.com"] },
  ],
  quarantine: [{ container: "c" }],
  release: [{ container: "c" }],
};

for (const [name, requests] of Object.entries(accepted)) {
  const path = `/v1/${name}`;
  test(`control: ${path} takes what it should, and no GET`, async () => {
    for (const request of requests) {
      const answer = await ask("POST", path, request === undefined ? "{}" : JSON.stringify(request));
      assert.deepEqual(answer, { status: 200, value: { name, request } });
    }
    assert.deepEqual(await ask("GET", path), {
      status: 405,
      allow: "POST",
      value: { code: "PROTOCOL", message: `${path} does not take GET` },
    });
  });
}

test("control: a method that has nothing to say confirms by an empty object", async () => {
  const quiet = serve({ ...echo, uninstall: async () => undefined });
  const request = { method: "POST", path: "/v1/uninstall", readBody: async () => "", isAwaited };
  assert.deepEqual(await answerRequest(quiet, request), { status: 200, value: {} });
});

const refused: readonly {
  readonly path: string;
  readonly body: string;
  readonly message: string | RegExp;
}[] = [
  { path: "/v1/prepareNetwork", body: "{", message: /^the request is not JSON: / },
  { path: "/v1/prepareNetwork", body: "null", message: "the request is null, but must be an object" },
  { path: "/v1/prepareNetwork", body: "[]", message: "the request is [], but must be an object" },
  { path: "/v1/prepareNetwork", body: '"a"', message: 'the request is "a", but must be an object' },
  {
    path: "/v1/prepareNetwork",
    body: "",
    message:
      'field "name" is missing and must be a text; field "patterns" is missing and must be a list of texts',
  },
  {
    path: "/v1/prepareNetwork",
    body: '{"name":1,"patterns":["a",2]}',
    message:
      'field "name" is 1, but must be a text; field "patterns" is ["a",2], but must be a list of texts',
  },
  {
    path: "/v1/suggest",
    body: '{"netwrok":"n"}',
    message:
      'field "network" is missing and must be a text; there is no field "netwrok"; did you mean network?',
  },
  {
    path: "/v1/suggest",
    body: '{"network":"n","__proto__":{"network":"m"}}',
    message: 'there is no field "__proto__"',
  },
  { path: "/v1/uninstall", body: '{"force":true}', message: 'there is no field "force"' },
  {
    path: "/v1/changeOverrides",
    body: '{"verb":"alow","target":"t","entries":[],"forSeconds":0}',
    message:
      'field "verb" is "alow", but must be one of allow, deny, undo; field "forSeconds" is 0, but must be a whole number from 1',
  },
  ...["1.5", "-1", "1e300", '"900"', "null"].map((value) => ({
    path: "/v1/changeOverrides",
    body: `{"verb":"allow","target":"t","entries":[],"forSeconds":${value}}`,
    message: `field "forSeconds" is ${JSON.stringify(JSON.parse(value))}, but must be a whole number from 1`,
  })),
  {
    path: "/v1/suggest",
    body: JSON.stringify({ network: ["x".repeat(200)] }),
    message: `field "network" is ["${"x".repeat(78)}…, but must be a text`,
  },
];

for (const { path, body, message } of refused) {
  test(`control: ${path} refuses ${body.slice(0, 60) || "nothing"}`, async () => {
    const { status, value } = await ask("POST", path, body);
    const report = value as { readonly code: string; readonly message: string };
    assert.deepEqual([status, report.code], [400, "PROTOCOL"]);
    if (typeof message === "string") assert.equal(report.message, message);
    else assert.match(report.message, message);
  });
}

test("control: the body of what is not there is not read", async () => {
  const readBody = () => Promise.reject(new Error("read"));
  const request = { method: "POST", path: "/v1/nothing", readBody, isAwaited };
  assert.equal((await answerRequest(served, request)).status, 404);
});

test("control: what a handler throws keeps its code, also when it throws at once", async () => {
  const api = serve({
    ...echo,
    suggest: () => {
      throw new DockerwallError("NOT_FOUND", "no network n");
    },
    release: () => Promise.reject(new TypeError("x is undefined")),
  });
  const readBody = (body: unknown) => () => Promise.resolve(JSON.stringify(body));
  const suggest = { method: "POST", path: "/v1/suggest", readBody: readBody({ network: "n" }), isAwaited };
  assert.deepEqual(await answerRequest(api, suggest), {
    status: 404,
    value: { code: "NOT_FOUND", message: "no network n" },
  });
  const release = { method: "POST", path: "/v1/release", readBody: readBody({ container: "c" }), isAwaited };
  assert.deepEqual(await answerRequest(api, release), {
    status: 500,
    value: { code: "INTERNAL", message: "x is undefined" },
  });
});
