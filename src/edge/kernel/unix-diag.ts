// Which sockets are bound to a file, in the calling thread's network namespace.
// @see sock_diag(7), include/uapi/linux/unix_diag.h

import { type Stats, statSync } from "node:fs";
import { eachAttribute, hostBytes, readHostInt } from "./netlink/message.ts";
import { listSockets } from "./sock-diag.ts";

const AF_UNIX = 1;
/** Of the mask of states: 1 << TCP_LISTEN. */
const LISTENING = 1 << 10;
const UDIAG_SHOW_VFS = 2;
const UNIX_DIAG_VFS = 1;
/** struct unix_diag_req: where its parts begin. */
const request = { size: 24, states: 4, show: 12 } as const;
/** struct unix_diag_msg: where its inode is, and where attributes begin. */
const reply = { inode: 4, size: 16 } as const;

/** The inodes of the sockets that listen at this path, as in /proc/PID/fd; none where that cannot be told. */
export function listenersAt(path: string): readonly number[] {
  const file = fileAt(path);
  if (file === undefined) return [];
  const inodes: number[] = [];
  const isTold = listSockets("sockets at a path", [requestBytes()], ({ view, start, end }) => {
    if (start + reply.size > end) return;
    eachAttribute(view, start + reply.size, end, (attribute, at, to) => {
      if (attribute !== UNIX_DIAG_VFS || at + 8 > to) return;
      const isIt =
        readHostInt(view, at) >>> 0 === file.ino % 2 ** 32 &&
        deviceNumber(readHostInt(view, at + 4) >>> 0) === file.dev;
      if (isIt) inodes.push(readHostInt(view, start + reply.inode) >>> 0);
    });
  });
  return isTold ? inodes : [];
}

/** Undefined where there is none, or it is not ours to look at. */
function fileAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function requestBytes(): Uint8Array {
  const bytes = new Uint8Array(request.size);
  bytes[0] = AF_UNIX;
  bytes.set(hostBytes(LISTENING), request.states);
  bytes.set(hostBytes(UDIAG_SHOW_VFS), request.show);
  return bytes;
}

/** As stat(2) tells it, of the kernel's own number (MAJOR(), MINOR(), new_encode_dev()). */
function deviceNumber(device: number): number {
  const [major, minor] = [device >>> 20, device & 0xfffff];
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
