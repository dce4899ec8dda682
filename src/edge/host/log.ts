// The log: one JSON object per line on stdout. Messages are constant strings; what varies stands in fields
// of a closed list, so that a log search that works today works tomorrow.

import { destination, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "./config.ts";

/** Everything that a log line can carry beside its time, level and message. */
export interface LogFields {
  readonly backend?: string;
  /** A command of the CLI. */
  readonly command?: string;
  readonly container?: string;
  readonly count?: number;
  /** A name that was looked up. */
  readonly domain?: string;
  readonly durationMs?: number;
  /** One bad entry of an allowlist, as written. */
  readonly entry?: string;
  readonly family?: number;
  readonly network?: string;
  /** One sentence. */
  readonly problem?: string;
  readonly state?: string;
  readonly version?: string;
}

export interface Log {
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
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}
