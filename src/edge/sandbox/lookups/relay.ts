// Asks a question from inside a sandbox, as its container would. Used to pass an unguarded container's question on to
// the resolver that it was meant for (between the sandbox's first address and its release), and to check by behaviour
// that a guarded container is captured.

import { createSocket } from "node:dgram";
import { contain } from "../../../core/contain.ts";
import { DockerwallError } from "../../../errors.ts";
import * as libc from "../../kernel/libc.ts";
import { withNamespace } from "../../kernel/netns.ts";
import { openUdpSocket, resolverAddress } from "../sockets.ts";

/** Docker's own resolver gives up after 4 s on each of at most three upstreams. */
const timeoutMs = 12_500;

/** Asks 127.0.0.11:53 in the sandbox. @throws DockerwallError when nothing comes. */
export async function askInSandbox(namespaceFd: number, message: Uint8Array): Promise<Uint8Array> {
  const fd = withNamespace(namespaceFd, openUdpSocket);
  const socket = createSocket("udp4");
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const timer = setTimeout(
    () => reject(new DockerwallError("ENGINE_UNREACHABLE", "the resolver of the sandbox is silent")),
    timeoutMs,
  );
  socket.on("error", reject);
  socket.on("message", (answer) => {
    if (answer.length >= 2 && answer[0] === message[0] && answer[1] === message[1]) resolve(answer);
  });
  try {
    socket.bind({ fd }, () => contain(() => socket.send(message, 53, resolverAddress), reject));
  } catch (error) {
    // Node has not taken it over.
    libc.close(fd);
    reject(error);
  }
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}
