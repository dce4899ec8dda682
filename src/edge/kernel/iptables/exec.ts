// The only place that starts programs: no shell, a clean environment, a deadline, and text in and out.

import { execa } from "execa";
import { DockerwallError } from "../../../errors.ts";

export interface ExecOptions {
  /** Written to the program's standard input. */
  readonly input?: string;
  /** Default 20,000. */
  readonly timeoutMs?: number;
  /** The engine's root folder, asked for anew each time: engines come and go. Undefined where none can be looked into. */
  readonly engineRoot?: EngineRoot;
  /** The pid of a process whose groups it is to see, by the cgroup namespace of that; else it sees ours. */
  readonly groupsOf?: number;
}

export type EngineRoot = () => string | undefined;

/**
 * All users of iptables-legacy on a host must share one lock file. It is reached through the engine's own root (pid: host):
 * mounting it would leave a folder in its place on hosts that never had the file.
 */
function lockFor(program: readonly string[], engineRoot: EngineRoot | undefined): Record<string, string> {
  const chosen = process.env["XTABLES_LOCKFILE"];
  if (chosen !== undefined) return { XTABLES_LOCKFILE: chosen };
  const root = program.some((word) => word.includes("-legacy")) ? engineRoot?.() : undefined;
  return root === undefined ? {} : { XTABLES_LOCKFILE: `${root}/run/xtables.lock` };
}

/**
 * Runs a program and returns its standard output.
 * @throws DockerwallError NO_PRIVILEGE, or KERNEL_REFUSED with what it gave as its reason on standard error.
 */
export async function exec(
  program: string,
  args: readonly string[],
  { groupsOf, ...options }: ExecOptions = {},
): Promise<string> {
  if (groupsOf !== undefined)
    return exec("nsenter", [`--cgroup=/proc/${groupsOf}/ns/cgroup`, "--", program, ...args], options);
  const result = await execa(program, args, {
    input: options.input ?? "",
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ...lockFor([program, ...args], options.engineRoot),
    },
    extendEnv: false,
    timeout: options.timeoutMs ?? 20_000,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 256 * 1024 * 1024,
  });
  if (!result.failed) return result.stdout;
  const said = reasonIn(result.stderr) ?? result.shortMessage ?? "no reason given";
  const code = /permission denied|operation not permitted|you must be root/i.test(said)
    ? "NO_PRIVILEGE"
    : "KERNEL_REFUSED";
  throw new DockerwallError(code, `${program} ${args.join(" ")} failed: ${said}`, { cause: result });
}

/** The first line; iptables-nft-restore has only its own name and version there, with the reason on the next. */
function reasonIn(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  const [first, second] = lines.filter((line) => line !== "");
  return first?.endsWith(":") === true && second !== undefined ? `${first} ${second}` : first;
}
