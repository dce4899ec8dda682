// Kernel tests never touch the machine's own firewall: a test file that calls this runs again, as a whole, in network
// and mount namespaces of its own, and only there do its tests exist.

import "./needs-node.ts";
import { execFileSync, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openNamespace } from "../../src/edge/kernel/netns.ts";

const MARK = "DOCKERWALL_TEST_NAMESPACE";

/**
 * Call it before anything else in a test file, with its `import.meta.url`. Inside the namespaces it returns; outside it
 * runs the file there, with the output of that run, and ends the process with its exit code.
 */
export function enterNamespaces(url: string): void {
  const here = readlinkSync("/proc/self/ns/net");
  const outside = process.env[MARK];
  if (outside !== undefined && outside !== here) return;
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--test"));
  const setUp = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
  const run = spawnSync(
    "unshare",
    ["-n", "-m", "sh", "-c", setUp, "sh", process.execPath, ...flags, fileURLToPath(url)],
    {
      stdio: "inherit",
      env: { ...process.env, [MARK]: here },
    },
  );
  process.exit(run.status ?? 1);
}

/** Another network namespace, made as an engine makes a sandbox: a file with the namespace mounted on it. */
export interface TestNamespace {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  /** Runs a command in it and returns its output. */
  run(command: string, ...args: string[]): string;
}

export function createNamespace(name: string): TestNamespace {
  run("ip", "netns", "add", name);
  const path = `/run/netns/${name}`;
  const fd = openNamespace(path);
  if (fd === undefined) throw new Error(`${path} is no namespace`);
  return { name, path, fd, run: (command, ...args) => run("ip", "netns", "exec", name, command, ...args) };
}

/** Runs a command and returns its output. @throws when it fails, with what it said. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
