// What a request to the engine fails with, in our words and with what to do about it.

import { DockerwallError, messageOf } from "../../../errors.ts";

const abortedCode = "ABORT_ERR";

/** True when the engine may answer later: it has taken the request, and said nothing in time. */
export function isSilence(error: unknown): boolean {
  return error instanceof DockerwallError && codeOf(error.cause) === abortedCode;
}

export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

export function statusOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "statusCode" in error
    ? Number(error.statusCode)
    : undefined;
}

/** @param what was asked for, as in "the engine refused to …" */
export function engineError(what: string, socketPath: string, error: unknown): DockerwallError {
  if (error instanceof DockerwallError) return error;
  const options = { cause: error };
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTSOCK":
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `no Docker socket at ${socketPath}; mount it with \`-v /var/run/docker.sock:/var/run/docker.sock\``,
        options,
      );
    case "ECONNREFUSED":
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `the Docker engine behind ${socketPath} is not running`,
        options,
      );
    case abortedCode:
      return new DockerwallError(
        "ENGINE_UNREACHABLE",
        `the Docker engine did not answer in time when asked to ${what}`,
        options,
      );
    case "EACCES":
      return new DockerwallError(
        "NO_PRIVILEGE",
        `Dockerwall has no permission to use the Docker socket ${socketPath}; run as root`,
        options,
      );
    default: {
      const status = statusOf(error) ?? 0;
      // What a proxy says that passes on reading only.
      const hint = [403, 405].includes(status)
        ? "; a proxy in front of its socket must let this request pass"
        : "";
      return new DockerwallError(
        status === 409 ? "NETWORK_EXISTS" : "ENGINE_REFUSED",
        `the Docker engine refused to ${what}: ${messageOf(error).trim()}${hint}`,
        options,
      );
    }
  }
}
