// One table of stable error codes. Every failure that a user can meet has one of these codes, the exit code below, and
// one sentence that names the value, the place and the fix.

/** Exit codes of the CLI, by error code. 64 and up follow sysexits.h where one fits. */
const exitCodes = {
  USAGE: 64,
  BAD_ENTRY: 65,
  BAD_CONFIG: 78,
  ENGINE_UNREACHABLE: 69,
  ENGINE_REFUSED: 69,
  NO_PRIVILEGE: 77,
  KERNEL_UNSUPPORTED: 71,
  KERNEL_REFUSED: 71,
  PORT_TAKEN: 71,
  DAEMON_UNREACHABLE: 69,
  DAEMON_RUNNING: 73,
  NETWORK_EXISTS: 73,
  NOT_ENFORCED: 75,
  UNINSTALLED: 69,
  NOT_FOUND: 66,
  PROTOCOL: 76,
  INTERNAL: 70,
} as const;

/** Each exit code that an error has, in ascending order. */
export const allExitCodes: readonly number[] = [...new Set(Object.values(exitCodes))].toSorted(
  (a, b) => a - b,
);

export type ErrorCode = keyof typeof exitCodes;

/** A failure as the control socket reports it. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
}

/** An expected failure: its message is the sentence shown to the user, its code decides the exit code. */
export class DockerwallError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DockerwallError";
    this.code = code;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** True if a string, such as one from the control socket, is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(exitCodes, value);
}

/** Runs work whose failure must not stop other work; returns the failure as one sentence, or nothing. */
export async function problemsOf(work: () => unknown): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
