// The bench's own programs, in C: what asks and answers must cost less than what is measured.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { run } from "../test/support/namespace.ts";

/** Where programs and settings lie while the bench runs: the command's, or this process's own. */
export const folder = process.env["BENCH_FOLDER"] ?? ownFolder();

function ownFolder(): string {
  const made = mkdtempSync(join(tmpdir(), "dockerwall-bench-"));
  process.once("exit", () => rmSync(made, { recursive: true }));
  return made;
}

/** Compiles a program, once, and returns its path. */
export function build(name: "generator" | "responder" | "traffic" | "first"): string {
  const program = join(folder, name);
  if (!existsSync(program))
    run("gcc", "-O2", "-o", program, join(import.meta.dirname, "programs", `${name}.c`));
  return program;
}

const children: ChildProcess[] = [];
process.once("exit", () => {
  for (const child of children) child.kill();
});

/** Starts a program that goes on until this process ends, and returns its pid. */
export function start(...argv: readonly string[]): number {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  return child.pid ?? 0;
}

/** Runs a program on the second processor, in a namespace, and returns the JSON that it prints. */
export async function told<T>(namespace: string, ...argv: readonly (string | number)[]): Promise<T> {
  const where = ["netns", "exec", namespace, "taskset", "-c", "1"];
  const { stdout } = await promisify(execFile)("ip", [...where, ...argv.map(String)]);
  return JSON.parse(stdout) as T;
}
