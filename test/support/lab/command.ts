// The lab's only way to run a command to its end. Output is kept whole: a failing set-up step must show what it said.
import { execa } from "execa";

/** What a command said and how it ended. */
export type CommandResult = { readonly stdout: string; readonly stderr: string; readonly exitCode: number };

/** How to run it; `input` is fed to stdin, or stdin is empty. */
export type CommandOptions = {
  readonly input?: string;
  readonly inputFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
};

/** Runs a command and returns its outcome, whatever the exit code; 124 when the time was up, 127 when it could not start. */
export async function attempt(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("lab: empty command");
  const result = await execa(file, args, {
    reject: false,
    stripFinalNewline: true,
    maxBuffer: 1 << 28,
    ...(options.inputFile !== undefined ? { inputFile: options.inputFile } : { input: options.input ?? "" }),
    ...(options.env !== undefined ? { env: options.env } : {}),
    ...(options.cwd !== undefined ? { cwd: options.cwd } : {}),
    ...(options.timeoutMs !== undefined ? { timeout: options.timeoutMs, forceKillAfterDelay: 1000 } : {}),
  });
  const failure = result.exitCode === undefined ? `\n${result.shortMessage ?? ""}` : "";
  const exitCode = result.exitCode ?? (result.timedOut ? 124 : result.code === "ENOENT" ? 127 : 128);
  return { stdout: result.stdout, stderr: result.stderr + failure, exitCode };
}

/** Long output loses its middle: the cause may stand at either end. */
function excerpt(text: string): string {
  return text.length <= 8000 ? text : `${text.slice(0, 4000)}\n…\n${text.slice(-4000)}`;
}

/**
 * Runs a command and returns its stdout.
 * @throws Error with the command, its exit code and the end of its output when it fails
 */
export async function command(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { stdout, stderr, exitCode } = await attempt(argv, options);
  if (exitCode === 0) return stdout;
  const said = excerpt(`${stdout}\n${stderr}`.trim());
  throw new Error(`lab: \`${argv.join(" ").slice(0, 500)}\` ended with ${exitCode}:\n${said}`);
}

/** Resolves after the given milliseconds. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Polls until the probe gives something else than undefined.
 * @throws Error naming `what` when the time is up; `detail` may add what is known by then
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
  detail: () => string = () => "",
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline)
      throw new Error(`lab: ${what} did not happen within ${timeoutMs} ms\n${detail()}`);
    await pause(20);
  }
}

/**
 * Feeds one command's stdout to another, without passing through this process.
 * @throws Error when either fails
 */
export async function pipeline(source: readonly string[], sink: readonly string[]): Promise<string> {
  const script = 'n=$1; shift; "${@:1:n}" | "${@:n+1}"';
  return await command([
    "bash",
    "-o",
    "pipefail",
    "-c",
    script,
    "bash",
    String(source.length),
    ...source,
    ...sink,
  ]);
}
