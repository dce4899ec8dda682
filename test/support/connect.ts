// connect(2) for sockets made by our own libc calls, of which the product connects none.

import assert from "node:assert/strict";
import koffi from "koffi";

const native = koffi.load(null).func("int connect(int fd, const void *address, uint32_t length)");

/** Connects a datagram or raw socket of this thread to the bytes of a `sockaddr`. */
export function connect(fd: number, address: Uint8Array): void {
  assert.equal(native(fd, address, address.length), 0);
}
