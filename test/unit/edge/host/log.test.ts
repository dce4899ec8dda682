// The log of a daemon whose stdout is stuck or full: the daemon works on, and ends when it is to end.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "dockerwall-log-"));
after(() => rmSync(folder, { recursive: true }));

const logFile = join(import.meta.dirname, "../../../../src/edge/host/log.ts");
/** Logs more than is kept, works on for a moment, and ends as the daemon does. */
const program = `
import { createLog } from ${JSON.stringify(logFile)};
if (process.argv[1] !== "quiet") process.stdout.on("error", () => undefined);
const log = createLog("info");
for (let n = 0; n < 4000; n++) log.info("line", { count: n, problem: "x".repeat(500) });
setTimeout(() => { process.stderr.write("at work\\n"); process.exit(71); }, 300);
`;

/** @property ms from the moment in which it still worked to its end */
interface End {
  readonly code: number | null;
  readonly ms: number;
}

/** However slow the machine is: what has not ended by then is stuck. */
const stuckAfterMs = 60_000;

async function startWith(
  stdout: number | "pipe",
  ...args: string[]
): Promise<{ child: ChildProcess; end: Promise<End> }> {
  const argv = ["--import", "tsx", "--input-type=module", "-e", program, ...args];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", stdout, "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), stuckAfterMs);
  let from = performance.now();
  child.stderr?.once("data", () => {
    from = performance.now();
  });
  const end = once(child, "close").then(() => {
    clearTimeout(timer);
    return { code: child.exitCode, ms: performance.now() - from };
  });
  return { child, end };
}

/** A pipe that has no room for another byte. */
function fullPipe(name: string): { readonly fd: number; readonly path: string } {
  const path = join(folder, name);
  execFileSync("sh", ["-c", 'mkfifo "$0"', path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const piece = Buffer.alloc(4096);
  try {
    for (;;) writeSync(fd, piece);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
  }
  return { fd, path };
}

// What starts a daemon opens the pipe for itself: whether a write there waits is no affair of others.
for (const who of ["a program that has used its own stdout", "one that has not"]) {
  it(`a pipe that nobody reads keeps nobody from ending: ${who}`, async () => {
    const { fd, path } = fullPipe(who.replaceAll(" ", "-"));
    const given = openSync(path, "r+");
    const { end } = await startWith(given, ...(who === "one that has not" ? ["quiet"] : []));
    closeSync(given);
    const { code, ms } = await end;
    closeSync(fd);
    assert.deepEqual([code, ms < 3_000], [71, true], `${code} after ${ms} ms`);
  });
}

it("a full disk neither ends the daemon nor keeps it from ending", async () => {
  const full = openSync("/dev/full", "w");
  const { end } = await startWith(full);
  closeSync(full);
  const { code, ms } = await end;
  assert.deepEqual([code, ms < 3_000], [71, true], `${code} after ${ms} ms`);
});

/** Numbers of the lines, in the order in which they came. */
function countsIn(text: string): readonly number[] {
  return text
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly count: number }).count);
}

it("a reader gets each line once, in order, as many as are kept", async () => {
  const { child, end } = await startWith("pipe");
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  assert.equal((await end).code, 71);
  const counts = countsIn(text);
  assert.ok(counts.length > 1_500, `${counts.length} lines`);
  assert.deepEqual(counts, [...counts.keys()]);
});

it("a file is appended to", async () => {
  const path = join(folder, "file.log");
  const file = openSync(path, "a");
  writeSync(file, '{"count":-1}\n');
  const { end } = await startWith(file);
  assert.equal((await end).code, 71);
  closeSync(file);
  const counts = countsIn(readFileSync(path, "utf8"));
  assert.ok(counts.length > 1_500, `${counts.length} lines`);
  assert.deepEqual(
    counts,
    [...counts.keys()].map((index) => index - 1),
  );
});

it("what was stuck is written when it is read again", async () => {
  const { fd, path } = fullPipe("read-again");
  const given = openSync(path, "r+");
  const { end } = await startWith(given);
  closeSync(given);
  const pieces: Buffer[] = [];
  const timer = setInterval(() => {
    const piece = Buffer.alloc(1 << 20);
    try {
      pieces.push(piece.subarray(0, readSync(fd, piece)));
    } catch {
      // Nothing there yet.
    }
  }, 5);
  await end;
  clearInterval(timer);
  closeSync(fd);
  const text = Buffer.concat(pieces).toString().replaceAll("\0", "");
  assert.match(text, /^\{"level":"info",.*"count":0,/);
});
