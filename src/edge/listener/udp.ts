// The UDP sockets that receive guarded containers' questions: on the host, where layer 1 redirects to, one for each
// guarded bridge and one for all others; and one in each captured sandbox, opened there by other code and adopted by
// its file descriptor.

import { contain, type OnFailure, tellFailure } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { type Family, type IpAddress, parseAddress } from "../../core/model/address.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { receiveBatch, SendQueue, watchSocket } from "../kernel/datagrams.ts";
import * as libc from "../kernel/libc.ts";
import { addressOf, portOf } from "../kernel/socket-address.ts";
import { type HostUdp, openHostUdp } from "./host-udp.ts";
import { findPortHolder } from "./port-holder.ts";
import { Shares } from "./shares.ts";

const unsent = declareCounter({
  name: "answers_unsent",
  help: "Answers by UDP that the kernel did not take: its socket had no room, or there was no way to the asker.",
  words: { one: "answer that could not be sent", many: "answers that could not be sent" },
});

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
export type ListenAt = { readonly fd: number; readonly family: Family } | HostUdp;

/** What a listener tells of itself. */
export interface ListenerEvents {
  /** A message made its handler fail: it got no answer. */
  readonly onProblem?: (problem: string) => void;
  /** Its socket was destroyed; it hears nothing any more. Called once. */
  readonly onLost?: (problem: string) => void;
}

export interface DnsListener {
  readonly port: number;
  close(): Promise<void>;
}

/** Among all sockets of the thread; by their queues of replies, as the number of a descriptor is given again. */
const shares = new Shares<SendQueue>();

/** Listens by UDP. @throws DockerwallError PORT_TAKEN */
export async function listenUdp(
  at: ListenAt,
  handler: DnsHandler,
  { onProblem, onLost }: ListenerEvents = {},
): Promise<DnsListener> {
  const fd = "fd" in at ? at.fd : openAt(at, "udp", () => openHostUdp(at));
  const told = tellingUnanswered(onProblem);
  const contained = containHandler(handler, onProblem);
  const replies = new SendQueue(fd, { onLoss: (count) => unsent.add(count), onFailure: told });
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    replies.close();
    closeSocket();
  };
  const take = (message: Uint8Array, sender: Uint8Array<ArrayBuffer>): void => {
    // A packet can be forged to come from port 0; nothing can be sent there.
    if (portOf(sender) === 0) return;
    contained(message, new UdpClient(sender), (answer) => {
      if (answer !== undefined) replies.put(answer, sender);
    });
  };
  const closeSocket = watchSocket(fd, () => {
    try {
      receiveBatch(fd, take, shares.next(replies, performance.now()));
      replies.flush();
    } catch (error) {
      contain(close, told);
      onLost?.(`the socket for lookups by UDP was destroyed: ${messageOf(error)}`);
    }
  });
  return { port: portOf(libc.getsockname(fd, "a UDP socket of ours")), close: async () => close() };
}

/** Its address becomes a text only where it is asked for: in a sandbox all clients are one. */
class UdpClient implements DnsClient {
  readonly #sender: Uint8Array;

  constructor(sender: Uint8Array) {
    this.#sender = sender;
  }

  get address(): IpAddress {
    return addressOf(this.#sender);
  }

  get port(): number {
    return portOf(this.#sender);
  }
}

/** Opens a socket; where the kernel refuses it, the error says who has the port. */
export function openAt(
  at: Exclude<ListenAt, { readonly fd: number }>,
  transport: "udp" | "tcp",
  open: () => number,
): number {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof libc.SystemCallError)) throw error;
    throw listenError(Object.assign(new Error(error.message), { code: error.errnoName }), at, transport);
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
  const told = tellingUnanswered(onProblem);
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

function tellingUnanswered(onProblem: ListenerEvents["onProblem"]): OnFailure {
  return (error) => onProblem?.(`a lookup was not answered: ${messageOf(error)}`);
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
