// The UDP sockets that guarded containers' questions arrive at: one on the host, which layer 1 redirects to,
// and one in each captured sandbox, opened there by others and adopted by its file descriptor.

import { createSocket } from "node:dgram";
import { DockerwallError } from "../errors.ts";
import { type Family, familyOf, type IpAddress, parseAddress } from "../model/address.ts";
import { findPortHolder } from "./port-holder.ts";

/** Who sent a question, as the socket saw it. */
export interface DnsClient {
  readonly address: IpAddress;
  readonly port: number;
  /** True once it has closed its connection: it will not hear the answer. */
  readonly isGone?: () => boolean;
}

/** Takes one message and calls `reply` exactly once, now or later; undefined is silence. */
export type DnsHandler = (
  message: Uint8Array,
  client: DnsClient,
  reply: (answer: Uint8Array | undefined) => void,
) => void;

/** An open socket of ours (bound, and listening for TCP), which the listener closes; or where to open one. */
export type ListenAt =
  | { readonly fd: number; readonly family: Family }
  | { readonly address: IpAddress; readonly port: number };

export interface DnsListener {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens by UDP. @throws DockerwallError PORT_TAKEN */
export async function listenUdp(at: ListenAt, handler: DnsHandler): Promise<DnsListener> {
  const family = "fd" in at ? at.family : familyOf(at.address);
  const socket = createSocket({
    type: family === 4 ? "udp4" : "udp6",
    ipv6Only: family === 6,
    // Addresses only: the default lookup would cost every reply a turn of the event loop.
    lookup: (hostname, _options, callback) => callback(null, hostname, family),
  });
  let open = true;
  socket.on("message", (message, { address, port }) => {
    const client = clientAddress(address);
    // A packet can be forged to come from port 0; nothing can be sent there.
    if (client === undefined || port === 0) return;
    handler(message, { address: client, port }, (answer) => {
      // The sender's address goes back as it came, with the zone of a link-local one.
      if (answer !== undefined && open) socket.send(answer, port, address);
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) => reject(listenError(error, at, "udp")));
    socket.once("listening", () => {
      socket.removeAllListeners("error");
      // A reply that cannot be sent is a reply that got lost; the client asks again.
      socket.on("error", () => undefined);
      resolve();
    });
    socket.bind("fd" in at ? { fd: at.fd } : { address: at.address, port: at.port });
  });
  const { port } = socket.address();
  return {
    port,
    close: () => {
      if (!open) return Promise.resolve();
      open = false;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}

/** The address without its zone, and an IPv4 one in IPv4 form. */
export function clientAddress(text: string): IpAddress | undefined {
  const zone = text.indexOf("%");
  const bare = zone < 0 ? text : text.slice(0, zone);
  return parseAddress(bare.startsWith("::ffff:") && bare.includes(".") ? bare.slice(7) : bare);
}

/** The sentence for a listener that cannot be opened. */
export function listenError(
  error: NodeJS.ErrnoException,
  at: ListenAt,
  transport: "udp" | "tcp",
): DockerwallError {
  const place = "fd" in at ? `fd ${at.fd}` : `port ${at.port}/${transport}`;
  if (error.code === "EADDRINUSE") {
    const holder = "fd" in at ? undefined : findPortHolder(at.port, transport);
    const who = holder === undefined ? "another program" : `${holder.program} (pid ${holder.pid})`;
    const message = `${place} is taken by ${who}; set DOCKERWALL_DNS_PORT to another port, or stop it`;
    return new DockerwallError("PORT_TAKEN", message, { cause: error });
  }
  if (error.code === "EACCES" || error.code === "EPERM") {
    return new DockerwallError("NO_PRIVILEGE", `listening on ${place} is not permitted`, { cause: error });
  }
  return new DockerwallError("INTERNAL", `listening on ${place} failed: ${error.message}`, { cause: error });
}
