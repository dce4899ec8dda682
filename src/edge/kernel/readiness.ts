// Readiness of descriptors for which Node has no class (netlink sockets). libuv can watch any descriptor that epoll
// can, and koffi gives access to its uv_poll_t; so this needs no second thread and no messages, here or in a worker
// thread. koffi says that this interface may change: its version is pinned, and test/kernel/lookups/readiness.test.ts checks
// it.

import koffi from "koffi";
import { DockerwallError } from "../../errors.ts";

type PollHandle = ReturnType<typeof koffi.node.poll>;

/** Everything this thread watches. */
const openHandles = new Set<PollHandle>();

// A thread that ends still serves what its loop found before. koffi's call into a thread that may run no more code
// fails, and that failure takes the whole process down: so nothing is watched any more by then. Neither terminate()
// from outside nor the end of the main thread comes by here: a worker that watches is to be asked to end itself.
process.once("exit", () => {
  for (const handle of openHandles) handle.close();
});

export interface Readiness {
  /**
   * Calls `onReadable` on this thread whenever the descriptor has something to read, again and again until it has not.
   * @param keepsAlive false where a process may end that watches nothing else
   * @returns unwatch, which must be called before the descriptor is closed; no call comes after it.
   */
  watch(fd: number, onReadable: () => void, keepsAlive?: boolean): () => void;
  /** Unwatches everything. */
  close(): void;
}

/** What watches on behalf of the calling thread and keeps its event loop alive while it watches something. */
export function createReadiness(): Readiness {
  const watched = new Map<number, PollHandle>();

  function unwatch(fd: number, handle: PollHandle): void {
    if (watched.get(fd) !== handle) return;
    watched.delete(fd);
    openHandles.delete(handle);
    handle.close();
  }

  return {
    watch(fd, onReadable, keepsAlive = true) {
      if (watched.has(fd)) throw new DockerwallError("INTERNAL", `descriptor ${fd} is watched twice`);
      const handle = koffi.node.poll(fd, { readable: true }, () => {
        // koffi calls from outside of Node's callback scope: no promises would be settled and a throw would be lost.
        // An immediate runs in the same turn of the loop, before the descriptor is looked at again.
        setImmediate(() => {
          if (watched.get(fd) === handle) onReadable();
        });
      });
      if (!keepsAlive) handle.unref();
      watched.set(fd, handle);
      openHandles.add(handle);
      return () => unwatch(fd, handle);
    },
    close() {
      for (const [fd, handle] of watched) unwatch(fd, handle);
    },
  };
}
