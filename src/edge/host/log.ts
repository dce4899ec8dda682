// The log: one JSON object per line on stdout. Messages are constant strings; what varies stands in fields
// of a closed list, so that a log search that works today works tomorrow.

import { pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "./config/settings.ts";
import { createLineWriter, withoutWaiting } from "./stdout.ts";

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
  /** The path of one. */
  readonly file?: string;
  readonly network?: string;
  /** One sentence. */
  readonly problem?: string;
  readonly signal?: string;
  readonly state?: string;
  readonly version?: string;
}

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What is kept while the reader of stdout is stuck, and how long the daemon's end waits for it. */
const patience = { maxBytes: 1024 * 1024, retryMs: 100, endWithinMs: 500 } as const;

/** A log to stdout. What could not be written yet is written when the process ends, as far as possible. */
export function createLog(level: LogLevel): Log {
  const lines = createLineWriter({ fd: withoutWaiting(1), ...patience });
  process.once("exit", lines.end);
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  return {
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}
