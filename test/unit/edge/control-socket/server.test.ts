import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ControlApi, serve as servedBy } from "../../../../src/control/api/control-api.ts";
import type { StatsReport } from "../../../../src/core/model/report/stats.ts";
import { daemonIsAbsent } from "../../../../src/edge/control-socket/client.ts";
import { type ControlServer, createControlServer } from "../../../../src/edge/control-socket/server.ts";
import { monotonicMs } from "../../../../src/edge/kernel/monotonic.ts";
import { DockerwallError } from "../../../../src/errors.ts";
import { askAt } from "../../../support/ask-daemon.ts";
import { until } from "../../../support/lab/command.ts";
import { quietStatus } from "../../../support/quiet-status.ts";

const folder = mkdtempSync(join(tmpdir(), "dockerwall-control-"));
const servers: ControlServer[] = [];
const raw: Socket[] = [];
let counter = 0;

after(async () => {
  for (const socket of raw) socket.destroy();
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

const statsReport: StatsReport = { generatedAtMs: 1, networks: [] };

function apiOf(overrides: Partial<ControlApi> = {}): ControlApi {
  return {
    stats: async () => statsReport,
    status: async () => quietStatus,
    prepareNetwork: async ({ name, patterns }) => ({ id: "i", name, bridge: "br-i", subnets: [...patterns] }),
    doctor: () => Promise.resolve({ checks: [] }),
    explain: () => Promise.reject(new Error("not asked for")),
    suggest: () => Promise.reject(new Error("not asked for")),
    replay: () => Promise.reject(new Error("not asked for")),
    changeOverrides: async ({ target }) => ({ kind: "network", name: target, overrides: [], warnings: [] }),
    quarantine: async ({ container }) => ({ container, quarantined: true, warnings: [] }),
    release: async ({ container }) => ({ container, quarantined: false, warnings: [] }),
    uninstall: async () => undefined,
    ...overrides,
  };
}

function freshPath(): string {
  counter += 1;
  return join(folder, `${counter}`, "control.sock");
}

async function serve(api: ControlApi = apiOf(), path = freshPath()): Promise<string> {
  servers.push(await createControlServer({ path, served: servedBy(api) }));
  return path;
}

/** Sends bytes as they are, and returns what comes back until the other side ends. */
function exchange(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    raw.push(socket);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

test("control: a client gets what the daemon tells", async () => {
  const ask = askAt(await serve());
  assert.deepEqual(await ask("stats"), statsReport);
  assert.deepEqual(await ask("status"), JSON.parse(JSON.stringify(quietStatus)));
  assert.deepEqual(await ask("prepareNetwork", { name: "n", patterns: ["*.example.com"] }), {
    id: "i",
    name: "n",
    bridge: "br-i",
    subnets: ["*.example.com"],
  });
  assert.deepEqual(await ask("uninstall"), {});
});

test("control: the socket is root's alone, from its first moment, and gone after close", async () => {
  const path = freshPath();
  const server = await createControlServer({ path, served: servedBy(apiOf()) });
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  await server.close();
  assert.equal(existsSync(path), false);
});

test("control: errors keep their code and their sentence", async () => {
  const path = await serve(
    apiOf({
      prepareNetwork: () => Promise.reject(new DockerwallError("NETWORK_EXISTS", "network a exists")),
      status: () => Promise.reject(new TypeError("x is undefined")),
    }),
  );
  const ask = askAt(path);
  await assert.rejects(ask("prepareNetwork", { name: "a", patterns: [] }), {
    code: "NETWORK_EXISTS",
    message: "network a exists",
    exitCode: 73,
  });
  await assert.rejects(ask("status"), { code: "INTERNAL", message: "x is undefined" });
});

const requests: readonly {
  readonly name: string;
  readonly bytes: string;
  readonly status: number | undefined;
}[] = [
  { name: "unknown path", bytes: "POST /v2/stats HTTP/1.1\r\nHost: d\r\n\r\n", status: 404 },
  {
    name: "name of a prototype member",
    bytes: "POST /v1/constructor HTTP/1.1\r\nHost: d\r\n\r\n",
    status: 404,
  },
  {
    name: "wrong method",
    bytes: "GET /v1/stats HTTP/1.1\r\nHost: d\r\n\r\n",
    status: 405,
  },
  { name: "bad JSON", bytes: post("{"), status: 400 },
  { name: "JSON of another shape", bytes: post('{"name":1}'), status: 400 },
  { name: "JSON null", bytes: post("null"), status: 400 },
  { name: "a field too many", bytes: post('{"name":"a","patterns":[],"force":true}'), status: 400 },
  { name: "patterns that are no strings", bytes: post('{"name":"a","patterns":[1]}'), status: 400 },
  { name: "a body over the limit", bytes: post(`{"name":"${"a".repeat(70_000)}"}`), status: 413 },
  {
    name: "headers over the limit",
    bytes: `GET /v1/stats HTTP/1.1\r\nX: ${"a".repeat(20_000)}\r\n\r\n`,
    status: 431,
  },
  { name: "no HTTP at all", bytes: "\x16\x03\x01\x00garbage\r\n\r\n", status: 400 },
  { name: "a query string", bytes: "POST /v1/stats?x=1 HTTP/1.1\r\nHost: d\r\n\r\n", status: 200 },
];

function post(body: string): string {
  return `POST /v1/prepareNetwork HTTP/1.1\r\nHost: d\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

for (const { name, bytes, status } of requests) {
  test(`control: ${name} is answered with ${status}`, async () => {
    const answer = await exchange(await serve(), bytes);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
  });
}

/** An API that notes which containers it was asked to release. */
function noting(): { readonly api: ControlApi; readonly begun: string[] } {
  const begun: string[] = [];
  const release: ControlApi["release"] = async ({ container }) => {
    begun.push(container);
    return { container, quarantined: false, warnings: [] };
  };
  return { api: apiOf({ release }), begun };
}

function release(container: string, header = ""): string {
  const body = JSON.stringify({ container });
  return `POST /v1/release HTTP/1.1\r\nHost: d\r\n${header}Content-Length: ${body.length}\r\n\r\n${body}`;
}

test("control: what comes when nobody waits for it any more is refused", async () => {
  const { api, begun } = noting();
  const path = await serve(api);
  const late = await exchange(path, release("late", `Dockerwall-Until: ${monotonicMs() - 1}\r\n`));
  assert.match(late, /^HTTP\/1.1 503 [\s\S]*"DAEMON_UNREACHABLE"[\s\S]*too late/);
  const inTime = await exchange(path, release("in-time", `Dockerwall-Until: ${monotonicMs() + 10_000}\r\n`));
  assert.match(inTime, /^HTTP\/1.1 200 /);
  assert.deepEqual(begun, ["in-time"]);
});

test("control: a client says until when it waits", async () => {
  const path = freshPath();
  mkdirSync(dirname(path), { recursive: true });
  const server = createServer().listen(path);
  await once(server, "listening");
  const before = monotonicMs();
  const asked = askAt(path)("release", { container: "web" });
  const [socket] = (await once(server, "connection")) as [Socket];
  const [head] = (await once(socket, "data")) as [Buffer];
  const until = Number(/^dockerwall-until: (\S+)\r$/m.exec(String(head))?.[1]);
  assert.ok(until >= before + 60_000 && until <= monotonicMs() + 60_000, String(head));
  socket.destroy();
  await assert.rejects(asked, { code: "DAEMON_UNREACHABLE" });
  server.close();
});

test("control: what a client has asked that is gone by now is not begun", async () => {
  const { api, begun } = noting();
  const path = await serve(api);
  // Its end is there before this process gets to read what it has asked.
  const leave = `const s = require("net").connect(${JSON.stringify(path)}, () => s.write(${JSON.stringify(release("gone"))}, () => process.exit()))`;
  spawnSync(process.execPath, ["-e", leave]);
  assert.match(await exchange(path, release("here")), /^HTTP\/1.1 200 /);
  assert.deepEqual(begun, ["here"]);
});

test("control: clients that hang take nobody's place for long", { timeout: 30_000 }, async () => {
  const path = await serve();
  const silent = [exchange(path, ""), exchange(path, "POST /v1/st"), exchange(path, post("{").slice(0, -1))];
  assert.deepEqual(await askAt(path)("stats"), statsReport);
  const started = performance.now();
  await Promise.all(silent);
  assert.ok(performance.now() - started < 10_000);
});

test("control: connections are capped, and free again when clients leave", { timeout: 10_000 }, async () => {
  const path = await serve();
  const crowd = Array.from({ length: 40 }, () => connect(path));
  raw.push(...crowd);
  for (const socket of crowd) socket.on("error", () => undefined);
  await Promise.all(crowd.map((socket) => once(socket, "connect")));
  await assert.rejects(askAt(path)("stats"), { code: "DAEMON_UNREACHABLE" });
  for (const socket of crowd) socket.destroy();
  const again = (): Promise<StatsReport | undefined> => askAt(path)("stats").catch(() => undefined);
  assert.deepEqual(await until("room for another client", 5_000, again), statsReport);
});

test("control: a living socket is left alone, and its holder told", async () => {
  const path = join(folder, "squatted.sock");
  const squatter = spawn(
    process.execPath,
    [
      "-e",
      `require("net").createServer((c) => c.on("error", () => {}).end("mine")).listen(${JSON.stringify(path)}, () => console.log("up"))`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await once(squatter.stdout, "data");
    await assert.rejects(createControlServer({ path, served: servedBy(apiOf()) }), {
      code: "BAD_CONFIG",
      message: new RegExp(
        `^the control socket ${path} is in use by process ${squatter.pid} \\(node\\).*, or choose another --control-socket$`,
      ),
    });
    assert.equal(await exchange(path, ""), "mine");
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith(".")),
      [],
    );
  } finally {
    squatter.kill();
  }
});

test("control: a living socket whose holder cannot be told is left alone", async () => {
  const path = await serve();
  await assert.rejects(createControlServer({ path, served: servedBy(apiOf()) }), {
    code: "BAD_CONFIG",
    message: /control\.sock is in use by a process that we cannot look into from here; /,
  });
  assert.deepEqual(await askAt(path)("stats"), statsReport);
});

test("control: one daemon's socket is of no concern to another path", async () => {
  const [first, second] = [await serve(), await serve()];
  for (const path of [first, second]) assert.deepEqual(await askAt(path)("stats"), statsReport);
});

test("control: folders that are not there are made", async () => {
  const path = join(folder, "a", "b", "c", "control.sock");
  await serve(apiOf(), path);
  assert.equal(statSync(join(folder, "a", "b", "c")).mode & 0o777, 0o700);
  assert.deepEqual(await askAt(path)("stats"), statsReport);
});

const nowhere: readonly { readonly name: string; readonly path: () => string }[] = [
  { name: "a file where a folder should be", path: () => join(fileAt("plain"), "control.sock") },
  { name: "a file far above", path: () => join(fileAt("far"), "x", "y", "control.sock") },
  { name: "a folder of its own name", path: () => dirname(join(folder, "a-folder", "control.sock", "x")) },
];

function fileAt(name: string): string {
  writeFileSync(join(folder, name), "mine");
  return join(folder, name);
}

for (const { name, path } of nowhere) {
  test(`control: ${name} is a sentence that names it`, async () => {
    const at = path();
    if (name.startsWith("a folder")) mkdirSync(at, { recursive: true });
    await assert.rejects(createControlServer({ path: at, served: servedBy(apiOf()) }), (error) => {
      assert.ok(error instanceof DockerwallError && error.code === "BAD_CONFIG", String(error));
      assert.ok(error.message.includes(at), error.message);
      return true;
    });
  });
}

/** As a daemon leaves it that was killed: the socket is there, and nobody listens. */
async function leaveStaleSocket(path: string): Promise<void> {
  const first = await createControlServer({ path, served: servedBy(apiOf()) });
  await first.close();
  const server = createServer();
  const other = `${path}.live`;
  await new Promise<void>((resolve) => {
    server.listen(other, resolve);
  });
  linkSync(other, path);
  await new Promise((resolve) => {
    server.close(resolve);
  });
}

test("control: the socket of a dead daemon is replaced", async () => {
  const path = freshPath();
  await leaveStaleSocket(path);
  await serve(apiOf(), path);
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  assert.deepEqual(await askAt(path)("stats"), statsReport);
  assert.deepEqual(readdirSync(dirname(path)), ["control.sock"]);
});

test("control: what is not a socket is not touched", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "mine");
  await assert.rejects(createControlServer({ path, served: servedBy(apiOf()) }), { code: "BAD_CONFIG" });
  assert.equal(statSync(path).size, 4);
});

test("control: a running request ends before close does", async () => {
  const path = freshPath();
  const [started, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const uninstall = (): Promise<void> => {
    started.resolve();
    return finish.promise;
  };
  const server = await createControlServer({ path, served: servedBy(apiOf({ uninstall })) });
  const asked = askAt(path)("uninstall");
  await started.promise;
  const closed = server.close();
  finish.resolve();
  await closed;
  await asked;
});

test("control: every way of not being there has its sentence", async () => {
  const missing = askAt(join(folder, "nothing", "control.sock"));
  await assert.rejects(missing("stats"), (error) => {
    assert.match(String(error), /the daemon is not running: no socket at .*control\.sock; start it with /);
    return daemonIsAbsent(error);
  });
  const stale = freshPath();
  await leaveStaleSocket(stale);
  await assert.rejects(askAt(stale)("stats"), (error) => {
    assert.match(String(error), /nothing listens at/);
    return daemonIsAbsent(error);
  });
  const foreign = join(folder, "foreign.sock");
  const other = createServer((socket) => socket.end("SSH-2.0-x\r\n"));
  await new Promise<void>((resolve) => {
    other.listen(foreign, resolve);
  });
  await assert.rejects(askAt(foreign)("stats"), (error) => {
    return error instanceof DockerwallError && error.code === "PROTOCOL" && !daemonIsAbsent(error);
  });
  other.close();
});

test("control: a daemon that does not answer in time is not absent", async () => {
  const path = await serve(apiOf({ stats: () => sleep(60_000, statsReport, { ref: false }) }));
  await assert.rejects(askAt(path, 100)("stats"), (error) => {
    assert.match(String(error), /did not answer at .* within 0\.1 s/);
    return !daemonIsAbsent(error);
  });
});

test("control: without the right to open it, the sentence says so", {
  skip: process.getuid?.() !== 0,
}, async () => {
  const path = await serve();
  chmodSync(folder, 0o755);
  process.seteuid?.("nobody");
  try {
    await assert.rejects(askAt(path)("stats"), { code: "NO_PRIVILEGE" });
    await assert.rejects(
      createControlServer({ path: join(folder, "x", "y.sock"), served: servedBy(apiOf()) }),
      {
        code: "NO_PRIVILEGE",
      },
    );
  } finally {
    process.seteuid?.(0);
  }
});

test("control: a folder that cannot be made is an error that says what to do", async () => {
  await assert.rejects(createControlServer({ path: "/dev/null/control.sock", served: servedBy(apiOf()) }), {
    code: "BAD_CONFIG",
    message:
      /^the control socket \/dev\/null\/control\.sock cannot be created \(E[A-Z]+\); .*--tmpfs \/dev\/null`.*DOCKERWALL_CONTROL_SOCKET to another path$/,
  });
});

test("connections that the kernel will not hand over end nothing, and are a problem", async (t) => {
  const http = createRequire(import.meta.url)("node:http") as typeof import("node:http");
  const { mock } = t.mock.method(http, "createServer");
  const path = join(folder, "refused.sock");
  const failures: unknown[] = [];
  servers.push(
    await createControlServer({
      path,
      served: servedBy(apiOf()),
      onFailure: (error) => failures.push(error),
    }),
  );
  const server: Server = mock.calls[0]?.result ?? assert.fail("no server");
  const errors = [1, 2].map((number) => new Error(`accept ENFILE ${number}`));
  for (const error of errors) server.emit("error", error);
  assert.deepEqual(failures, errors);
  assert.deepEqual(await askAt(path)("stats"), statsReport);
});
