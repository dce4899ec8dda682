// Asks a question from inside a sandbox, as its container would. Used to pass an unguarded container's question on to
// the resolver that it was meant for (between the sandbox's first address and its release), and to check by behaviour
// that a guarded container is captured.

import { createSocket } from "node:dgram";
import { contain } from "../../../core/contain.ts";
import { familyOf, type IpAddress } from "../../../core/model/address.ts";
import { DockerwallError } from "../../../errors.ts";
import * as libc from "../../kernel/libc.ts";
import { withNamespace } from "../../kernel/netns.ts";
import { openUdpSocket, resolverAddress } from "../sockets.ts";

/** Docker's own resolver gives up after 4 s on each of at most three upstreams. */
const timeoutMs = 12_500;

/** Asks port 53 of a server (Docker's own if none is named) in the sandbox. @throws DockerwallError when nothing comes. */
export async function askInSandbox(
  namespaceFd: number,
  message: Uint8Array,
  server: IpAddress = resolverAddress,
): Promise<Uint8Array> {
  const fd = withNamespace(namespaceFd, () => openUdpSocket(server));
  const socket = createSocket(familyOf(server) === 4 ? "udp4" : "udp6");
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
    socket.bind({ fd }, () => contain(() => socket.send(message, 53, server), reject));
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
