// The UDP sockets that receive guarded containers' questions: on the host, where layer 1 redirects to, one for each
// guarded bridge and one for all others; and one in each captured sandbox, opened there by other code and adopted by
// its file descriptor.

import { createSocket } from "node:dgram";
import { tellFailure } from "../../core/contain.ts";
import { type Family, familyOf, type IpAddress, parseAddress } from "../../core/model/address.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { SystemCallError } from "../kernel/libc.ts";
import { holdUdp, openHostUdp } from "./host-udp.ts";
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
  | { readonly address: IpAddress; readonly port: number; readonly device?: string };

/** What a listener tells of itself. */
export interface ListenerEvents {
  /** A message made its handler fail: it got no answer. */
  readonly onProblem?: (problem: string) => void;
  /** Its socket was destroyed by somebody; it hears nothing any more. Called once. */
  readonly onLost?: (problem: string) => void;
}

export interface DnsListener {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens by UDP. @throws DockerwallError PORT_TAKEN */
export async function listenUdp(
  at: ListenAt,
  handler: DnsHandler,
  { onProblem, onLost }: ListenerEvents = {},
): Promise<DnsListener> {
  const family = "fd" in at ? at.family : familyOf(at.address);
  const fd = "fd" in at ? at.fd : openUdp(at);
  const socket = createSocket({
    type: family === 4 ? "udp4" : "udp6",
    // Addresses only: the default lookup would cost every reply a turn of the event loop.
    lookup: (hostname, _options, callback) => callback(null, hostname, family),
  });
  const contained = containHandler(handler, onProblem);
  let open = true;
  socket.on("message", (message, { address, port }) => {
    const client = clientAddress(address);
    // A packet can be forged to come from port 0; nothing can be sent there.
    if (client === undefined || port === 0) return;
    contained(message, { address: client, port }, (answer) => {
      // The sender's address goes back as it came, with the zone of a link-local one.
      if (answer !== undefined && open) socket.send(answer, port, address);
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) => reject(listenError(error, at, "udp")));
    socket.once("listening", () => {
      socket.removeAllListeners("error");
      // A reply that cannot be sent is a reply that got lost; the client asks again.
      socket.on("error", ({ code }: NodeJS.ErrnoException) => {
        if (code !== "ECONNABORTED" || !open) return;
        onLost?.(`the socket for lookups by UDP was destroyed: ${code}`);
      });
      resolve();
    });
    socket.bind({ fd });
  });
  if (!("fd" in at)) holdUdp(fd);
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

function openUdp(at: Exclude<ListenAt, { readonly fd: number }>): number {
  try {
    return openHostUdp(at);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    throw listenError(Object.assign(new Error(error.message), { code: error.errnoName }), at, "udp");
  }
}

/**
 * One message that makes a handler fail, or an answer that cannot be given, gets silence, and ends nothing else. As
 * contain() does it, without a closure for each message.
 */
export function containHandler(
  handler: DnsHandler,
  onProblem: ((problem: string) => void) | undefined,
): DnsHandler {
  const told = (error: unknown): void => onProblem?.(`a lookup was not answered: ${messageOf(error)}`);
  return (message, client, reply) => {
    let replied = false;
    const once: typeof reply = (answer) => {
      if (replied) return;
      replied = true;
      try {
        reply(answer);
      } catch (error) {
        tellFailure(error, told);
      }
    };
    try {
      handler(message, client, once);
    } catch (error) {
      tellFailure(error, told);
      once(undefined);
    }
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
    return new DockerwallError("NO_PRIVILEGE", `Dockerwall may not listen on ${place}; run as root`, {
      cause: error,
    });
  }
  return new DockerwallError("INTERNAL", `listening on ${place} failed: ${error.message}`, { cause: error });
}
