// Lines to stdout that never keep the daemon: their reader may be stuck, the disk that they go to may be full.
// They are then kept for a while and lost in the end, and neither the daemon's work nor its end waits for them.

import { constants, fstatSync, openSync, writeSync } from "node:fs";

/** How it is written; bytes are of UTF-8. */
export interface LineWriterOptions {
  readonly fd: number;
  /** Unwritten bytes that are kept; lines beyond are lost. */
  readonly maxBytes: number;
  /** How long to wait when there is no room. */
  readonly retryMs: number;
  /** How long `end` may take at most. */
  readonly endWithinMs: number;
}

/** As pino wants it. */
export interface LineWriter {
  write(line: string): void;
  /** Writes what is kept, for a process that ends. */
  end(): void;
}

/**
 * Another way to what a descriptor leads to, on which no write waits. The descriptor itself where there is none: to a
 * file, whose place others share, and to a socket, which Node sets so that nothing waits there.
 */
export function withoutWaiting(fd: number): number {
  const was = fstatSync(fd);
  if (!was.isFIFO() && !was.isCharacterDevice()) return fd;
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // Not ours to open, or nobody reads there.
    return fd;
  }
}

/** Each line is written at once, while there is room; what is kept goes first. */
export function createLineWriter({ fd, maxBytes, retryMs, endWithinMs }: LineWriterOptions): LineWriter {
  const lines: Buffer[] = [];
  let bytes = 0;
  let isWaiting = false;

  /** Takes what has been written off the first line. */
  function advance(first: Buffer, written: number): void {
    bytes -= written;
    if (written === first.length) lines.shift();
    else lines[0] = first.subarray(written);
  }

  /** @returns false when there is no room for what is left */
  function flush(): boolean {
    for (let [first] = lines; first !== undefined; [first] = lines) {
      try {
        advance(first, writeSync(fd, first));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
        // A line that cannot be written is lost.
        advance(first, first.length);
      }
    }
    return true;
  }

  function flushOrRetry(): void {
    isWaiting = !flush();
    if (isWaiting) setTimeout(flushOrRetry, retryMs).unref();
  }

  return {
    write(line) {
      const given = Buffer.from(line);
      if (bytes + given.length > maxBytes) return;
      lines.push(given);
      bytes += given.length;
      if (!isWaiting) flushOrRetry();
    },
    end() {
      const until = performance.now() + endWithinMs;
      while (!flush() && performance.now() < until)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    },
  };
}
