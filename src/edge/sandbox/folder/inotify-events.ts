// What the kernel writes down about a watched folder.
// @see inotify(7)

import { littleEndian } from "../../kernel/netlink/message.ts";

export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
/** struct inotify_event: watch, mask, cookie, length of the name; then the name, filled up with NUL. */
const HEADER_SIZE = 16;
const MASK_AT = 4;
const LENGTH_AT = 12;

export interface InotifyEvents {
  /** Of what was made, in order. */
  readonly names: readonly string[];
  /** Events were lost. */
  readonly overflowed: boolean;
  /** The folder is watched no more: it is gone. */
  readonly watchEnded: boolean;
}

/** @param bytes as read(2) gives them: whole events */
export function readEvents(bytes: Uint8Array): InotifyEvents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  let overflowed = false;
  let watchEnded = false;
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const mask = view.getUint32(at + MASK_AT, littleEndian);
    const end = at + HEADER_SIZE + view.getUint32(at + LENGTH_AT, littleEndian);
    const name = Buffer.from(bytes.subarray(at + HEADER_SIZE, end)).toString("utf8");
    if ((mask & IN_Q_OVERFLOW) !== 0) overflowed = true;
    else if ((mask & IN_IGNORED) !== 0) watchEnded = true;
    else names.push(name.replace(/\0+$/, ""));
    at = end;
  }
  return { names, overflowed, watchEnded };
}
