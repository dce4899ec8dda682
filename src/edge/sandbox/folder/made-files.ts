// Which files have been made in a folder: asked synchronously, and complete at that moment. Node's own watch reports
// them in a later turn of the event loop, after the decision that needs them.
// @see inotify(7)

import { endianness } from "node:os";
import { messageOf } from "../../../errors.ts";
import * as libc from "../../kernel/libc.ts";

const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
/** struct inotify_event: watch, mask, cookie, length of the name; then the name, filled up with NUL. */
const HEADER_SIZE = 16;
const MASK_AT = 4;
const LENGTH_AT = 12;
const littleEndian = endianness() === "LE";

export interface MadeFiles {
  /**
   * Names of files that were made since the last call; "unknown" when some of them may be missing: it is told so
   * once, when they can be noticed again. "unwatched" as long as none can be noticed.
   */
  take(): readonly string[] | "unknown" | "unwatched";
  close(): void;
}

/** Begins to notice. The folder may come later, go, and come again. @throws SystemCallError */
export function noticeMadeFiles(folder: string, onProblem: (problem: string) => void): MadeFiles {
  const fd = libc.inotify(folder);
  const bytes = new Uint8Array(64 << 10);
  const view = new DataView(bytes.buffer);
  /** Why it cannot be watched; empty while it can, or is not there. */
  let unwatchable = "";
  let watched = false;
  watchAgain();

  function watch(): boolean {
    try {
      libc.inotifyAddWatch(fd, folder, IN_CREATE | IN_MOVED_TO);
      return true;
    } catch (error) {
      if (error instanceof libc.SystemCallError && error.errnoName === "ENOENT") return false;
      throw error;
    }
  }

  /** Out of watches, or not ours to read: what is made meanwhile is not told of, and nothing can be said of it. */
  function watchAgain(): boolean {
    try {
      watched = watch();
      unwatchable = "";
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== unwatchable)
        onProblem(`changes in ${folder} cannot be watched: ${problem}; trying again`);
      unwatchable = problem;
    }
    return watched;
  }

  /** @returns false when something was lost */
  function readInto(names: string[], length: number): boolean {
    let complete = true;
    for (let at = 0; at + HEADER_SIZE <= length; ) {
      const mask = view.getUint32(at + MASK_AT, littleEndian);
      const end = at + HEADER_SIZE + view.getUint32(at + LENGTH_AT, littleEndian);
      const name = Buffer.from(bytes.subarray(at + HEADER_SIZE, end)).toString("utf8");
      if ((mask & IN_Q_OVERFLOW) !== 0) complete = false;
      else if ((mask & IN_IGNORED) !== 0) watched = false;
      else names.push(name.replace(/\0+$/, ""));
      at = end;
    }
    return complete;
  }

  return {
    take() {
      const names: string[] = [];
      let complete = true;
      for (;;) {
        const length = libc.read(fd, bytes, folder);
        if (length === undefined) break;
        complete = readInto(names, length) && complete;
      }
      if (!watched) {
        // What came and went between the making of the folder and now.
        if (watchAgain()) complete = false;
        else if (unwatchable !== "") return "unwatched";
      }
      return complete ? names : "unknown";
    },
    close: () => libc.close(fd),
  };
}
