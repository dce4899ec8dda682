// Asks a question from inside a sandbox, as its container would. Used to pass a question of an unguarded container on
// to the resolver that it meant (in the moment between its first address and our giving the sandbox back), and to see
// by behaviour that a guarded one is captured.

import { createSocket } from "node:dgram";
import { DockerwallError } from "../../errors.ts";
import { withNamespace } from "../kernel/netns.ts";
import { openUdpSocket, resolverAddress } from "./sockets.ts";

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
  socket.bind({ fd }, () => socket.send(message, 53, resolverAddress));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}
