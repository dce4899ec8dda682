// Another dockerd on an engine's host, as some have for tests or for another user: with folders, a socket, networks and
// containers of its own, in the same network namespace. It leaves the firewall to the administrator, as two that write
// the same chains cannot do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type CommandResult, until } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";

/** Where its networks are; out of nothing that the lab uses. */
const pool = "198.18.64.0/18";
const folder = "/run/second";
const socket = `unix://${folder}/docker.sock`;

/** The second engine. */
export interface SecondEngine {
  /** The argv of a docker command to it. */
  readonly argv: (...args: string[]) => string[];
  /** A docker command that must succeed; its output. */
  readonly run: (...args: string[]) => Promise<string>;
  readonly attempt: (...args: string[]) => Promise<CommandResult>;
  readonly stop: () => Promise<void>;
}

/** Starts it with one small image, `busybox:lab`. @property group the cgroup of its containers */
export async function startSecondEngine(engine: Engine, group: string): Promise<SecondEngine> {
  const config = {
    "data-root": `${folder}/data`,
    "exec-root": `${folder}/exec`,
    pidfile: `${folder}/docker.pid`,
    hosts: [socket],
    bridge: "none",
    iptables: false,
    "default-address-pools": [{ base: pool, size: 24 }],
    "cgroup-parent": `/${group}/second`,
    "log-level": "warn",
  };
  const inHost = async (script: string, input = ""): Promise<void> => {
    const { exitCode, stdout, stderr } = await engine.execWith({ input }, "bash", "-c", script);
    assert.equal(exitCode, 0, `${engine.name}: ${script}\n${stdout}\n${stderr}`);
  };
  await inHost(`mkdir -p ${folder} && cat > ${folder}/daemon.json`, JSON.stringify(config));
  await inHost(
    [
      `iptables -w -I DOCKER-USER -s ${pool} -j ACCEPT`,
      `iptables -w -I DOCKER-USER -d ${pool} -j ACCEPT`,
      `iptables -w -t nat -A POSTROUTING -s ${pool} ! -d ${pool} -j MASQUERADE`,
    ].join(" && "),
  );
  const dockerd = engine.background(`${engine.name}-second`, [
    "dockerd",
    "--config-file",
    `${folder}/daemon.json`,
  ]);
  const argv = (...args: string[]): string[] => ["docker", "-H", socket, ...args];
  const attempt = (...args: string[]): Promise<CommandResult> => engine.exec(...argv(...args));
  const run = async (...args: string[]): Promise<string> => {
    const outcome = await attempt(...args);
    assert.equal(
      outcome.exitCode,
      0,
      `second engine: ${args.join(" ")}\n${outcome.stdout}\n${outcome.stderr}`,
    );
    return outcome.stdout.trim();
  };
  await until(
    `${engine.name}: the second engine`,
    60_000,
    async () => {
      assert.ok(dockerd.alive(), readFileSync(dockerd.log, "utf8"));
      return (await attempt("version")).exitCode === 0 ? true : undefined;
    },
    () => readFileSync(dockerd.log, "utf8"),
  );
  await inHost(`docker save busybox:lab | docker -H ${socket} load`);
  return {
    argv,
    run,
    attempt,
    async stop() {
      const names = (await run("ps", "-aq")).split("\n").filter(Boolean);
      if (names.length > 0) await run("rm", "-f", ...names);
      const { stdout } = await engine.exec("cat", `${folder}/docker.pid`);
      process.kill(Number(stdout), "SIGTERM");
      await until("end of the second engine", 30_000, () => (dockerd.alive() ? undefined : true));
    },
  };
}
