// What a careless administrator does to a host on which containers are guarded: nothing opens, judged on the wire, and
// afterwards all is well again, or `status` says what is not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen, printRow } from "../support/chosen.ts";
import {
  client,
  countPutRight,
  curl,
  deploy,
  enforcing,
  fails,
  inside,
  network,
  rights,
  run,
  succeeds,
  wall,
} from "../support/dockerwall.ts";
import { denied, flooder, healing, openFor } from "../support/flood.ts";
import { startCapture } from "../support/lab/capture.ts";
import { command, until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { repository } from "../support/lab/repository.ts";

const engines = chosen(bothBackends);
const anywhere = curl(`http://${denied}/`);
const allowed = curl("http://www.example.com/");

interface Change {
  readonly title: string;
  readonly script: string;
  /** What comes of it, were nothing put right. */
  readonly does: "takes ours away" | "leaves ours" | "is refused";
  readonly onNft?: true;
}

/** nft prints rules of iptables in words that it does not read: what it has printed of ours it refuses as a whole. */
const changes: readonly Change[] = [
  {
    title: "`iptables-restore` of a save from before",
    script: "iptables-restore /run/old.save",
    does: "takes ours away",
  },
  {
    title: "`iptables-restore` of a save of every table from before",
    script: "iptables-restore /run/all.save",
    does: "takes ours away",
  },
  {
    title: "`iptables-restore` of a save from now",
    script: "iptables-restore /run/new.save",
    does: "leaves ours",
  },
  { title: "`nft -f` of a ruleset from now", script: "nft -f /run/new.nft", does: "is refused", onNft: true },
  {
    title: "`nft -f` of a ruleset from now, flushed first",
    script: "(echo flush ruleset; cat /run/new.nft) | nft -f -",
    does: "is refused",
    onNft: true,
  },
  { title: "`iptables -F`", script: "iptables -w -F", does: "takes ours away" },
];

/** A flush is put right within this on a busy machine; on an idle one much sooner, as healing.test.ts shows. */
const openLimitMs = (name: string): number => (name === "e28l" ? 5_000 : 2_000);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

async function makeFolder(title: string): Promise<string> {
  const folder = `${lab.shared}/${title}`;
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Makes the change while a container sends, and looks what leaves and what comes back. */
async function undergo(engine: Engine, { title, script, does }: Change): Promise<void> {
  const putRight = await countPutRight(engine);
  const capture = await lab.capture(engine.name, `dst host ${denied}`);
  const { ms, difference } = await healing(engine, `${script} 2>&1; echo "$?" > /run/rc`, 10_000);
  const { stdout: ended } = await engine.exec("tail", "-n", "1", "/run/rc");
  await enforcing(engine);
  const leaked = await capture.stop();
  const open = openFor(leaked);
  const figures = [`${ms ?? "never"} ms`, `open for ${open} ms`, `${leaked.length} packets`];
  printRow(engine.name, title, `ended with ${ended}`, ...figures);
  assert.notEqual(ms, undefined, difference);
  assert.equal(ended.trim() === "0", does !== "is refused", ended);
  if (does === "takes ours away")
    await until("the count of what was put right", 5_000, async () =>
      (await countPutRight(engine)) > putRight ? true : undefined,
    );
  assert.ok(open <= openLimitMs(engine.name), `open for ${open} ms`);
  await fails(engine, "web", ...anywhere);
  await comeBack(engine);
  await fails(engine, "web", ...anywhere);
  await succeeds(engine, "web", ...allowed);
}

/** What is unguarded shows whether Docker's own rules went too: then the engine has to make them anew. */
async function comeBack(engine: Engine): Promise<void> {
  const free = await inside(engine, "free", ...curl("http://203.0.113.11/"));
  if (free.exitCode === 0) await run(engine, "restart", "web");
  else await restartEngine(engine);
}

/** The engine makes its own rules anew, and what was up comes back. */
async function restartEngine(engine: Engine): Promise<void> {
  await run(engine, "update", "--restart=always", "dockerwall", "web", "flood", "free");
  await engine.restart();
  await enforcing(engine);
}

describe("a careless administrator", { concurrency: true }, () => {
  for (const { name } of engines)
    describe(name, { concurrency: 1 }, () => {
      let engine: Engine;
      before(async () => {
        engine = lab.engine(name);
        await network(engine, "app", "www.example.com allowed.example.com");
        await flooder(engine, "flood", "app");
        await client(engine, "web", "app");
        await network(engine, "plain");
        await client(engine, "free", "plain");
        // Without us both leave.
        const capture = await lab.capture(name, `dst host ${denied}`);
        await succeeds(engine, "web", ...anywhere);
        await until("the flood to leave", 10_000, async () =>
          (await capture.packets()).length > 100 ? true : undefined,
        );
        await capture.stop();
        await engine.exec(
          "sh",
          "-c",
          "iptables-save > /run/old.save; for t in raw mangle nat filter; do iptables -t $t -S > /dev/null; iptables-save -t $t; done > /run/all.save; nft list ruleset > /run/old.nft 2>/dev/null; true",
        );
        await deploy(engine);
        await engine.exec(
          "sh",
          "-c",
          "nft list ruleset > /run/new.nft 2>/dev/null; iptables-save > /run/new.save; true",
        );
      });

      for (const change of changes)
        it(change.title.replaceAll("`", ""), { skip: change.onNft === true && name === "e28l" }, () =>
          undergo(engine, change),
        );

      it("nft -f of a ruleset from before, flushed first", { skip: name === "e28l" }, async () => {
        const capture = await lab.capture(name, `dst host ${denied}`);
        const script = "(echo flush ruleset; cat /run/old.nft) | nft -f -";
        const { stdout, exitCode: ended } = await engine.exec("sh", "-c", `${script} 2>&1`);
        assert.equal(ended, 0, stdout);
        const told = await until("status to say what to do", 30_000, async () => {
          const said = (await wall(engine, "status")).stdout.match(/nft delete table ip6? [^`]*/g);
          return said === null ? undefined : [...new Set(said)].join("; ");
        });
        await fails(engine, "web", ...anywhere);
        const leaked = await capture.stop();
        const open = openFor(leaked);
        const figures = [`open for ${open} ms`, `${leaked.length} packets`];
        printRow(name, "`nft -f` of a ruleset from before", told, ...figures);
        assert.ok(open <= openLimitMs(name), `open for ${open} ms`);
        const { exitCode, stderr } = await engine.exec("sh", "-c", told);
        assert.equal(exitCode, 0, stderr);
        await restartEngine(engine);
        await fails(engine, "web", ...anywhere);
        await succeeds(engine, "web", ...allowed);
      });

      it("a second uplink, and the default route moved there", async () => {
        const pid = String(lab.internet.box.pid);
        const far = `${name}b`;
        await command([
          "ip",
          "link",
          "add",
          far,
          "netns",
          pid,
          "type",
          "veth",
          "peer",
          "name",
          "eth1",
          "netns",
          String(engine.hostPid),
        ]);
        const address = `198.18.10${engine.link.host.split(".")[2]}`;
        await lab.internet.exec([
          "sh",
          "-c",
          `ip address add ${address}.1/24 dev ${far}; ip link set ${far} up`,
        ]);
        await engine.exec("sh", "-ec", `ip address add ${address}.2/24 dev eth1; ip link set eth1 up`);
        const capture = await startCapture(lab.internet.box, {
          name: `second-${name}`,
          device: far,
          filter: "",
          markTo: `${address}.2`,
        });
        await engine.exec("sh", "-c", `ip route replace default via ${address}.1 dev eth1`);
        const old = await lab.capture(name, `dst host ${denied}`);
        await fails(engine, "web", ...anywhere);
        await succeeds(engine, "web", ...curl("http://allowed.example.com/"));
        await client(engine, "later", "app");
        await fails(engine, "later", ...anywhere);
        await succeeds(engine, "later", ...allowed);
        const packets = await capture.stop();
        printRow(
          name,
          "a second uplink",
          `${packets.filter(({ dst }) => dst === denied).length} packets to what is denied`,
          `${packets.filter(({ dst }) => dst === "203.0.113.20").length} to what is allowed`,
        );
        assert.deepEqual(
          packets.filter(({ dst }) => dst === denied),
          [],
        );
        assert.ok(packets.some(({ dst }) => dst === "203.0.113.20"));
        assert.deepEqual(await old.stop(), []);
        await enforcing(engine);
        await engine.exec(
          "sh",
          "-c",
          `ip route replace default via ${engine.link.gateway} dev eth0; ip link del eth1`,
        );
        await succeeds(engine, "web", ...allowed);
      });

      it("a log that nobody reads", async () => {
        await engine.docker("rm", "-f", "dockerwall");
        const folder = await makeFolder(`${name}-log`);
        await command(["sh", "-c", `mkfifo ${folder}/log`]);
        const holder = engine.background(`${name}-fifo`, [
          process.execPath,
          "-e",
          `
const fs = require("node:fs");
const fd = fs.openSync("${folder}/log", fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
try { for (;;) fs.writeSync(fd, "x".repeat(4096)); } catch { console.log("full"); }
setInterval(() => undefined, 1000);`,
        ]);
        await until("the pipe to be full", 20_000, () =>
          readFileSync(holder.log, "utf8").includes("full") ? true : undefined,
        );
        const place = [
          "--network",
          "host",
          "--pid",
          "host",
          "-v",
          "/var/run/docker.sock:/var/run/docker.sock",
          "-v",
          `${folder}:/log`,
        ];
        const start = [
          "--entrypoint",
          "sh",
          "dockerwall:lab",
          "-c",
          "exec /app/entrypoint.sh daemon > /log/log",
        ];
        await run(
          engine,
          "run",
          "-d",
          "--name",
          "dockerwall",
          ...rights,
          ...place,
          "-e",
          "DOCKERWALL_LOG_LEVEL=debug",
          ...start,
        );
        await enforcing(engine);
        await network(engine, "quiet", "www.example.com");
        await client(engine, "unheard", "quiet");
        await succeeds(engine, "unheard", ...allowed);
        await fails(engine, "unheard", ...anywhere);
        const from = performance.now();
        await run(engine, "stop", "-t", "30", "dockerwall");
        const ms = Math.round(performance.now() - from);
        const code = await run(engine, "inspect", "-f", "{{.State.ExitCode}}", "dockerwall");
        printRow(name, "a log that nobody reads", `stopped after ${ms} ms with ${code}`);
        assert.equal(code, "0");
        assert.ok(ms < 15_000, `${ms} ms`);
        process.kill(holder.pid, "SIGTERM");
        await run(engine, "rm", "-f", "dockerwall", "unheard");
      });

      it("a proxy before the engine's socket that stalls", async () => {
        await engine.docker("rm", "-f", "dockerwall");
        const folder = await makeFolder(`${name}-stall`);
        const script = join(repository, "test/support/reading-proxy.cjs");
        const proxy = engine.background(`${name}-stall`, [
          process.execPath,
          script,
          `${folder}/docker.sock`,
          "/var/run/docker.sock",
          ".*",
        ]);
        await until("the proxy", 20_000, () =>
          readFileSync(proxy.log, "utf8").includes("ready") ? true : undefined,
        );
        const place = ["--network", "host", "--pid", "host", "-v", `${folder}:/run/proxy`];
        await run(
          engine,
          "run",
          "-d",
          "--name",
          "dockerwall",
          ...rights,
          ...place,
          "-e",
          "DOCKERWALL_DOCKER_SOCKET=/run/proxy/docker.sock",
          "dockerwall:lab",
        );
        await enforcing(engine);
        process.kill(proxy.pid, "SIGSTOP");
        try {
          const capture = await lab.capture(name, `dst host ${denied}`);
          await succeeds(engine, "web", ...curl("http://allowed.example.com/"));
          await client(engine, "stalled", "app");
          await network(engine, "new", "www.example.com");
          await client(engine, "held", "new");
          for (const container of ["web", "stalled", "held"]) await fails(engine, container, ...anywhere);
          await inside(engine, "stalled", "dig", "+time=2", "+tries=1", `stalled-${name}.example.org`);
          assert.deepEqual(
            (await lab.internet.queries()).filter((query) => query.name.startsWith(`stalled-${name}`)),
            [],
          );
          assert.deepEqual(await capture.stop(), []);
          const from = performance.now();
          const told = await until("status to say so", 60_000, async () => {
            const { stdout, stderr, exitCode } = await wall(engine, "status");
            return exitCode === 0 ? undefined : `${stdout}${stderr}`;
          });
          printRow(
            name,
            "a stalling proxy",
            `told within ${Math.round(performance.now() - from)} ms more`,
            told.replaceAll("\n", " / "),
          );
        } finally {
          process.kill(proxy.pid, "SIGCONT");
        }
        await enforcing(engine);
        await succeeds(engine, "held", ...allowed);
        await succeeds(engine, "stalled", ...allowed);
        await fails(engine, "held", ...anywhere);
        process.kill(proxy.pid, "SIGTERM");
        await run(engine, "rm", "-f", "dockerwall", "held", "stalled");
      });
    });
});
