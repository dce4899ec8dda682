// Enters a namespace and takes away the way back. Run in the main thread or, with the argument `worker`, in another.

import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { isMainThread, Worker } from "node:worker_threads";
import { openNamespace, withNamespace } from "../../src/edge/kernel/netns.ts";

const path = process.argv[2] ?? "";
if (isMainThread && process.argv[3] === "worker") {
  new Worker(new URL(import.meta.url), { argv: [path] });
} else {
  const fd = openNamespace(path);
  if (fd === undefined) throw new Error(`${path} is no namespace`);
  const home = readlinkSync("/proc/thread-self/ns/net");
  withNamespace(fd, () => {
    for (const name of readdirSync("/proc/self/fd")) {
      try {
        if (readlinkSync(`/proc/self/fd/${name}`) === home) closeSync(Number(name));
      } catch {
        // The descriptor of the listing itself.
      }
    }
  });
  process.stdout.write("still here\n");
}
