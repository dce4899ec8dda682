// One daemon for one host. The claim is an abstract unix socket, which belongs to the network namespace: it is seen by
// every daemon on this host, in whatever container, and it ends with its holder. @see unix(7)

import { createServer } from "node:net";
import { DockerwallError } from "../errors.ts";

const name = "\0dockerwall";

/** Claims this host until the process ends. @throws DockerwallError DAEMON_RUNNING */
export async function claimHost(): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const message = taken
        ? "another dockerwall daemon guards this host; stop it first"
        : `the claim on this host failed: ${error.message}`;
      reject(new DockerwallError(taken ? "DAEMON_RUNNING" : "INTERNAL", message, { cause: error }));
    });
    server.listen(name, resolve);
  });
  server.unref();
}
