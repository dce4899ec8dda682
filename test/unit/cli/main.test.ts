import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ControlApi, serve } from "../../../src/control/api/control-api.ts";
import type { StatsReport } from "../../../src/core/model/report/stats.ts";
import { type ControlServer, createControlServer } from "../../../src/edge/control-socket/server.ts";
import { DockerwallError } from "../../../src/errors.ts";
import { quietStatus } from "../../support/quiet-status.ts";

const main = join(import.meta.dirname, "../../../src/main.ts");
const folder = mkdtempSync(join(tmpdir(), "dockerwall-cli-"));
const controlSocket = join(folder, "control.sock");
const links = {
  stats: join(folder, "stats"),
  help: join(folder, "help"),
  dockerwall: join(folder, "dockerwall"),
};

const stats: StatsReport = {
  generatedAtMs: 20_000,
  networks: [
    {
      mode: "enforce",
      network: "app",
      subnets: ["198.18.1.0/24"],
      lookups: [
        {
          address: "198.18.1.2",
          container: "c",
          domain: "example.com",
          allowed: true,
          count: 2,
          lastSeenMs: 8000,
        },
      ],
      drops: [],
    },
  ],
};
const api: ControlApi = {
  stats: async () => stats,
  status: async () => quietStatus,
  prepareNetwork: async ({ name, patterns }) => {
    if (name === "taken")
      throw new DockerwallError("NETWORK_EXISTS", `network "${name}" already exists; remove it first`);
    if (patterns.includes("*")) throw new DockerwallError("BAD_ENTRY", "`*` alone would allow everything");
    return { id: "0123", name, bridge: "br-0123", subnets: ["198.18.7.0/24"] };
  },
  doctor: () => Promise.resolve({ checks: [] }),
  explain: () => Promise.reject(new Error("not asked for")),
  suggest: () => Promise.reject(new Error("not asked for")),
  replay: () => Promise.reject(new Error("not asked for")),
  changeOverrides: ({ target, entries }) =>
    Promise.resolve({
      kind: "network",
      name: target,
      overrides: entries.map((entry) => ({ entry, endsAtMs: undefined })),
      warnings: target === "idle" ? ['network "idle", command x: it grants nothing'] : [],
    }),
  quarantine: async ({ container }) => ({
    container,
    quarantined: true,
    warnings: container === "rooted" ? ['container "rooted" has NET_ADMIN'] : [],
  }),
  release: async ({ container }) => ({ container, quarantined: false, warnings: [] }),
  uninstall: async () => undefined,
};
let server: ControlServer | undefined;

before(async () => {
  for (const link of Object.values(links)) symlinkSync(main, link);
  server = await createControlServer({ path: controlSocket, served: serve(api) });
});

after(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Invocation {
  readonly program?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

function run(
  args: readonly string[],
  { program = main, environment = {} }: Invocation = {},
): Promise<Result> {
  return new Promise((resolve) => {
    const env = { PATH: process.env["PATH"], DOCKERWALL_CONTROL_SOCKET: controlSocket, ...environment };
    const child = spawn(process.execPath, [program, ...args], { env });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const rows = "Network: app (198.18.1.0/24)\n  198.18.1.2  c  example.com  2 ✅  12s ago\n";

interface Case extends Invocation {
  readonly args: readonly string[];
  readonly code: number;
  readonly stdout?: RegExp | string;
  readonly stderr?: RegExp | string;
}

const missing = { DOCKERWALL_CONTROL_SOCKET: join(folder, "missing.sock") };

const cases: readonly Case[] = [
  { args: ["quarantine", "web"], code: 0, stdout: "Container web is cut off\n" },
  {
    args: ["quarantine", "rooted"],
    code: 1,
    stdout: 'Container rooted is cut off\nWarning: container "rooted" has NET_ADMIN\n',
  },
  { args: ["quarantine", "rooted", "--json"], code: 1, stdout: /"warnings": \[\n +"container/ },
  { args: ["stats"], code: 0, stdout: rows },
  { args: ["stats", "--json"], code: 0, stdout: `${JSON.stringify(stats, null, 2)}\n` },
  { args: [], program: links.stats, code: 0, stdout: rows },
  { args: ["--json"], program: links.stats, code: 0, stdout: /^\{\n {2}"generatedAtMs": 20000/ },
  { args: ["stats"], program: links.dockerwall, code: 0, stdout: rows },
  { args: ["status"], code: 0, stdout: /^dockerwall 0: enforcing for / },
  {
    args: ["prepare-network", "n", "*.example.com"],
    code: 0,
    stdout: "Network: n (198.18.7.0/24) enforced\n",
  },
  { args: ["prepare-network", "n", "a.example.com", "--json"], code: 0, stdout: /"bridge": "br-0123"/ },
  {
    args: ["prepare-network", "taken", "a.example.com"],
    code: 73,
    stderr: 'dockerwall: network "taken" already exists; remove it first\n',
  },
  { args: ["prepare-network", "n", "*"], code: 65, stderr: "dockerwall: `*` alone would allow everything\n" },
  {
    args: ["prepare-network", "n"],
    code: 64,
    stderr: /needs more arguments; write dockerwall prepare-network NAME PATTERN\.\.\.\n$/,
  },
  { args: ["uninstall"], code: 0, stdout: /^Dockerwall is uninstalled/ },
  { args: ["uninstall", "--json"], code: 0, stdout: /"by": "daemon"/ },
  { args: [], code: 64, stderr: /Usage: dockerwall COMMAND/ },
  { args: ["--help"], code: 0, stdout: /Usage: dockerwall COMMAND/ },
  { args: [], program: links.help, code: 0, stdout: /Usage: dockerwall COMMAND/ },
  { args: ["daemon"], program: links.help, code: 0, stdout: /--stats-ttl DURATION/ },
  {
    args: ["allow", "idle", "www.example.com"],
    code: 0,
    stdout:
      'Overrides for network idle:\n  allow www.example.com\nWarning: network "idle", command x: it grants nothing\n',
  },
  { args: ["help", "stats"], code: 0, stdout: /^Usage: dockerwall stats/ },
  { args: ["daemon", "-h"], code: 0, stdout: /--stats-ttl DURATION/ },
  { args: ["--version"], code: 0, stdout: /^[0-9]+\.[0-9]+\.[0-9]+\n$/ },
  { args: ["stat"], code: 64, stderr: 'dockerwall: there is no command "stat"; did you mean stats?\n' },
  { args: ["constructor"], code: 64, stderr: /there is no command "constructor"; see dockerwall --help\n$/ },
  { args: ["--jsn"], code: 64, stderr: /there is no option "--jsn"/ },
  {
    args: ["stats", "--jsno"],
    code: 64,
    stderr: 'dockerwall: stats has no option "--jsno"; did you mean --json?\n',
  },
  { args: ["stats", "--json=yes"], code: 64, stderr: 'dockerwall: --json takes no value, but has "yes"\n' },
  {
    args: ["stats", "app"],
    code: 64,
    stderr: /^dockerwall: stats has too many arguments, from "app" on; write dockerwall stats/,
  },
  { args: ["stats", "\x1b[2J"], code: 64, stderr: /from "\\u001b\[2J" on/ },
  {
    args: ["daemon", "--dns-port"],
    code: 64,
    stderr: "dockerwall: --dns-port needs a value: --dns-port auto|PORT\n",
  },
  {
    args: ["daemon", "--dns-port", "0", "--hold=maybe"],
    code: 78,
    stderr: /^dockerwall: --dns-port is "0", but .*\ndockerwall: --hold is "maybe", but .*\n$/,
  },
  {
    args: ["daemon", "--dns-port", "0", "--log-level", "debug"],
    code: 78,
    stderr: /^dockerwall: --dns-port is "0", but .*\nDockerwallError: .*\n( {4}at .*\n)+$/,
  },
  {
    args: ["daemon", "--dns-port", "0"],
    environment: { DOCKERWALL_LOG_LEVEL: "debug" },
    code: 78,
    stderr: /^dockerwall: --dns-port is "0", but .*\nDockerwallError: .*\n( {4}at .*\n)+$/,
  },
  {
    args: ["daemon", "--dns-port", "0", "--log-level=info"],
    environment: { DOCKERWALL_LOG_LEVEL: "debug" },
    code: 78,
    stderr: /^dockerwall: --dns-port is "0", but .*\n$/,
  },
  {
    args: ["stats"],
    environment: missing,
    code: 69,
    stderr: /^dockerwall: the daemon is not running: no socket at .*missing\.sock; start it with .*\n$/,
  },
  { args: ["status"], environment: missing, code: 69, stderr: /^dockerwall: the daemon is not running/ },
  {
    args: ["stats"],
    environment: { ...missing, DOCKERWALL_LOG_LEVEL: "debug" },
    code: 69,
    stderr: /^dockerwall: the daemon is not running: .*\n$/,
  },
  {
    args: ["stats", "--json"],
    environment: missing,
    code: 69,
    stderr:
      /^\{\n {2}"error": \{\n {4}"code": "DAEMON_UNREACHABLE",\n {4}"message": "the daemon is not running: .*"\n {2}\}\n\}\n$/,
  },
  {
    args: ["stats", "--json", "app"],
    code: 64,
    stderr: /^\{\n {2}"error": \{\n {4}"code": "USAGE",\n {4}"message": "stats has too many arguments, /,
  },
  {
    args: ["check", "--json", "--jsno"],
    code: 2,
    stderr: /^\{\n {2}"error": \{\n {4}"code": "USAGE",/,
  },
  {
    args: ["allow", "app", "a.example.com", "--for", "10"],
    code: 64,
    stderr: 'dockerwall: --for is "10", which has no unit; write 10s, 10m, 10h or 10d\n',
  },
  {
    args: ["allow", "app", "a.example.com", "--for", "40"],
    code: 64,
    stderr: 'dockerwall: --for is "40", which has no unit; write 40s, 40m or 40h\n',
  },
  {
    args: ["allow", "app", "a.example.com", "--for", "0"],
    code: 64,
    stderr: 'dockerwall: --for is "0", but must be a duration from 1s to 24d, as in 15m\n',
  },
  {
    args: ["deny", "app", "a.example.com", "--for", "soon"],
    code: 64,
    stderr: 'dockerwall: --for is "soon", but must be a duration from 1s to 24d, as in 15m\n',
  },
];

for (const { args, program, environment, code, stdout = "", stderr = "" } of cases) {
  const name = [program === undefined ? "dockerwall" : "linked", ...args].join(" ");
  test(`main: ${JSON.stringify(name)} exits with ${code}`, async () => {
    const result = await run(args, {
      ...(program === undefined ? {} : { program }),
      ...(environment === undefined ? {} : { environment }),
    });
    for (const [shown, expected] of [
      [result.stdout, stdout],
      [result.stderr, stderr],
    ] as const) {
      if (typeof expected === "string") assert.equal(shown, expected);
      else assert.match(shown, expected);
    }
    assert.equal(result.code, code);
  });
}

test("main: every state but enforcing makes status exit with 1", async () => {
  const other = join(folder, "degraded.sock");
  const degraded = await createControlServer({
    path: other,
    served: serve({ ...api, status: async () => ({ ...quietStatus, state: "degraded" }) }),
  });
  try {
    const result = await run(["status"], { environment: { DOCKERWALL_CONTROL_SOCKET: other } });
    assert.equal(result.code, 1);
  } finally {
    await degraded.close();
  }
});

test("main: commands wait no longer for what the daemon has at hand than it should take", async () => {
  const path = join(folder, "hanging.sock");
  const never = () => new Promise<never>(() => undefined);
  const hanging = await createControlServer({ path, served: { stats: never, status: never } });
  try {
    const environment = { DOCKERWALL_CONTROL_SOCKET: path };
    const results = await Promise.all([run(["stats"], { environment }), run(["status"], { environment })]);
    for (const { code, stderr } of results) {
      assert.equal(code, 69);
      assert.match(stderr, /^dockerwall: the daemon did not answer at .* within 5 s; /);
    }
  } finally {
    await hanging.close();
  }
});

test("main: a reader that leaves early is no error", async () => {
  const env = { PATH: process.env["PATH"], DOCKERWALL_CONTROL_SOCKET: controlSocket };
  const child = spawn(process.execPath, [main, "stats"], { env });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise((resolve) => {
    child.on("close", resolve);
  });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});
