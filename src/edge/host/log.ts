// The log: one JSON object per line on stdout. Messages are constant strings; what varies stands in fields
// of a closed list, so that a log search that works today works tomorrow.

import { destination, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "./config.ts";

/** Everything that a log line can carry beside its time, level and message. */
export interface LogFields {
  readonly address?: string;
  readonly allowed?: boolean;
  readonly backend?: string;
  readonly bridge?: string;
  /** One of our error codes. */
  readonly code?: string;
  /** A command of the CLI. */
  readonly command?: string;
  readonly container?: string;
  readonly count?: number;
  readonly domain?: string;
  readonly durationMs?: number;
  /** One bad entry of an allowlist, as written. */
  readonly entry?: string;
  /** An event of the engine, `network:create`. */
  readonly event?: string;
  readonly family?: number;
  readonly generation?: number;
  readonly network?: string;
  readonly path?: string;
  readonly port?: number;
  /** One sentence. */
  readonly problem?: string;
  readonly revision?: number;
  readonly sandbox?: string;
  readonly signal?: string;
  /** Only at level debug. */
  readonly stack?: string;
  readonly state?: string;
  readonly upstream?: string;
  readonly version?: string;
}

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Unwritten bytes kept while whoever reads stdout is stuck; what comes beyond is lost, not the daemon. */
const maxBufferedBytes = 1024 * 1024;

/** A log to stdout. Lines are written in the background and flushed when the process ends. */
export function createLog(level: LogLevel): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 1, sync: false, maxLength: maxBufferedBytes }),
  );
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}
