// The daemon as a process of its own in the namespaces of a kernel test, beside an engine of the test's.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StatusReport } from "../../src/core/model/report/status.ts";
import type { FakeEngine } from "./fake-engine.ts";
import { until } from "./lab/command.ts";
import { run } from "./namespace.ts";

const main = join(import.meta.dirname, "../../src/main.ts");

export interface Ended {
  readonly exitCode: number | null;
  /** What ended it, where it was a signal. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DaemonProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** A command of the CLI, asked of this daemon. */
  cli(...args: string[]): Promise<Ended>;
  status(): Promise<StatusReport>;
  /** Ends it by a signal, or waits for its own end. */
  end(signal?: NodeJS.Signals): Promise<Ended>;
  readonly ended: boolean;
}

/** Kernel tests' namespaces have the machine's own /sys: it lists the machine's bridges, not theirs. */
export function mountSys(): void {
  run("mount", "-t", "sysfs", "sysfs", "/sys");
}

/** A program, with its arguments, that runs the program that follows on a kernel without IPv6. */
export const noIpv6: readonly string[] = ["python3", join(import.meta.dirname, "no-ipv6.py")];

/** Starts it, by another program if need be; `daemonEnforces` waits until it does. */
export function startDaemon(
  engine: FakeEngine,
  environment: Readonly<Record<string, string>> = {},
  launcher: readonly string[] = [],
): DaemonProcess {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-daemon-"));
  const policyFile = join(folder, "policy.yml");
  writeFileSync(policyFile, "{}\n");
  const env = {
    PATH: process.env["PATH"],
    DOCKERWALL_DOCKER_SOCKET: engine.socket,
    DOCKERWALL_CONTROL_SOCKET: join(folder, "control.sock"),
    DOCKERWALL_UPSTREAM: "127.0.0.1:5300",
    DOCKERWALL_BACKEND: "nft",
    DOCKERWALL_SANDBOX_FOLDER: "/run/netns",
    DOCKERWALL_POLICY_FILE: policyFile,
    ...environment,
  };
  run("mkdir", "-p", "/run/netns");
  const start = (...args: string[]): ChildProcess => {
    const [program = "", ...rest] = [...launcher, process.execPath, "--import", "tsx", main, ...args];
    return spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
  };
  const child = start("daemon");
  const output = gather(child);
  const exited = once(child, "close");
  return {
    pid: child.pid ?? assert.fail("no process"),
    log: () => output().stdout,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    async cli(...args) {
      const command = start(...args);
      const said = gather(command);
      await once(command, "close");
      return { exitCode: command.exitCode, signal: command.signalCode, ...said() };
    },
    async status() {
      return JSON.parse((await this.cli("status", "--json")).stdout) as StatusReport;
    },
    async end(signal) {
      if (signal !== undefined) child.kill(signal);
      await exited;
      return { exitCode: child.exitCode, signal: child.signalCode, ...output() };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Waits until it says so in its log: each command that asks takes a busy machine seconds. */
export async function daemonIsUp(daemon: DaemonProcess): Promise<void> {
  await until(
    "the daemon to be up",
    90_000,
    () => {
      assert.ok(!daemon.ended, `the daemon ended: ${daemon.log()}`);
      return /"message":"(enforcing|degraded)"/.test(daemon.log()) ? true : undefined;
    },
    daemon.log,
  );
}

/** Waits until a command says that all is enforced. */
export async function daemonEnforces(daemon: DaemonProcess): Promise<void> {
  await daemonIsUp(daemon);
  let last: Ended | undefined;
  await until(
    "the daemon to enforce",
    30_000,
    async () => {
      assert.ok(!daemon.ended, `the daemon ended: ${daemon.log()}`);
      last = await daemon.cli("status");
      return last.exitCode === 0 ? true : undefined;
    },
    () => `${last?.stdout}${last?.stderr}\n${daemon.log()}`,
  );
}

function gather(child: ChildProcess): () => { readonly stdout: string; readonly stderr: string } {
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (chunk: Buffer) => {
      text[name] += chunk.toString("utf8");
    });
  return () => ({ ...text });
}
