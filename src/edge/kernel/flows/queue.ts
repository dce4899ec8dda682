// Packets that a rule passes to us (-j NFQUEUE), and our verdicts on them. A queue that fails is closed: without
// --queue-bypass, and unless it says otherwise, the kernel then drops the packets.
// @see include/uapi/linux/netfilter/nfnetlink_queue.h

import type { OpenQueue, QueuedPacket } from "../../../core/queued-packet.ts";
import { DockerwallError } from "../../../errors.ts";
import * as libc from "../libc.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import { MessageVector } from "../message-vector.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readBytes,
} from "../netlink/message.ts";
import { NetlinkError } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, NetlinkSocket, openNetlink } from "../netlink/socket.ts";

const NFNL_SUBSYS_QUEUE = 3;
const messages = { packet: 0, verdict: 1, config: 2 } as const;
const attributes = { header: 1, verdict: 2, mark: 3, payload: 10 } as const;
const config = { command: 1, parameters: 2, maxLength: 3, mask: 4, flags: 5 } as const;
const COMMAND_BIND = 1;
const COPY_PACKET = 2;
const FLAG_FAIL_OPEN = 1;
/**
 * Packets are left as they are. Without it the kernel fills in checksums that their senders have left to the network
 * card before it shows them to us, and a sender may have left any two bytes: the packet that goes on would be another
 * than the one whose flow is tracked.
 */
const FLAG_UNFILLED = 4;
const verdictCodes = { drop: 0, accept: 1, repeat: 4 } as const;
const NETFILTER_HEADER = 4;
/** Packets taken at once; the rest waits for the next turn of the event loop. */
const TAKEN_AT_ONCE = 256;
/** Packets that a system call reads, and room for the message of each: attributes, and the part of it that is wanted. */
const READ_AT_ONCE = 64;
const MESSAGE_BYTES = 1024;
const COPY_BYTES_AT_MOST = 512;
/** Of the socket's queue, which is counted twice this; a short packet costs some 1.3 KB in it. Taken only while used. */
const RECEIVE_BYTES_PER_PACKET = 1024;

export type Verdict = keyof typeof verdictCodes;

export interface QueueSpec {
  /** 0 to 65535, as in `--queue-num`. */
  readonly number: number;
  /** How many packets may wait for a verdict; more are dropped by the kernel. */
  readonly maxLength: number;
  /** How much of each packet is wanted, bytes, from the IP header on; 512 at most. */
  readonly copyBytes: number;
  /** What becomes of packets that find no room: `drop` when not said. */
  readonly whenFull?: "drop" | "pass";
}

/** What becomes of a packet: see PacketQueue.verdict(). */
export interface PacketVerdict {
  readonly id: number;
  readonly verdict: Verdict;
  readonly mark?: number;
}

export interface PacketQueue {
  /** Readable when packets wait, see Readiness. */
  readonly fd: number;
  /** What waits now, up to 256 packets and what was read before; never waits. Each of them is held by the kernel until its verdict. */
  receive(): QueuedPacket[];
  /**
   * Decides on a packet, once. `repeat` has it go through the same hook again, from its first chain, with the new mark.
   * A verdict on one that the kernel let go meanwhile changes nothing.
   */
  verdict(id: number, verdict: Verdict, mark?: number): void;
  /** The same of several, in one system call. */
  verdicts(decided: readonly PacketVerdict[]): void;
  /**
   * How often, since this was asked last, the kernel found the socket full because we did not read fast enough; what it
   * did with those packets is what QueueSpec.whenFull says.
   */
  takeOverflows(): number;
  /**
   * From now on packets find no room, and pass where QueueSpec.whenFull says so. What waits still waits for its verdict.
   */
  takeNoMore(): void;
  /** Drops everything that waits. */
  close(): void;
}

/** Takes a queue of the calling thread's namespace. @throws NO_PRIVILEGE, also when another process has it (EPERM) */
export function openQueue(spec: QueueSpec): PacketQueue {
  const what = `packet queue ${spec.number}`;
  if (spec.copyBytes > COPY_BYTES_AT_MOST)
    throw new DockerwallError("INTERNAL", `${what} cannot copy ${spec.copyBytes} bytes of a packet`);
  const socket = openNetlink(NETLINK_NETFILTER, what);
  const { writer } = socket;
  libc.setsockopt(socket.fd, libc.SO_RCVBUFFORCE, spec.maxLength * RECEIVE_BYTES_PER_PACKET, what);
  writer.message(messageType(messages.config), NLM_F_REQUEST | NLM_F_ACK).netfilterHeader(0, spec.number);
  writer.value(config.command, Uint8Array.of(COMMAND_BIND, 0, 0, 0));
  writer.message(messageType(messages.config), NLM_F_REQUEST | NLM_F_ACK).netfilterHeader(0, spec.number);
  writer.value(config.parameters, copyParameters(spec.copyBytes)).u32be(config.maxLength, spec.maxLength);
  const flags = FLAG_UNFILLED | (spec.whenFull === "pass" ? FLAG_FAIL_OPEN : 0);
  writer.u32be(config.mask, flags).u32be(config.flags, flags);
  try {
    socket.request(what);
  } catch (error) {
    socket.close();
    throw error;
  }

  return serveQueue(spec.number, socket);
}

/** Goes on with a queue that another thread of this process has opened, and leaves alone from now on. */
export function adoptQueue(number: number, open: OpenQueue): PacketQueue {
  return serveQueue(number, new NetlinkSocket(open.fd, `packet queue ${number}`), open);
}

/** One for the thread: everything is read out of it before it receives again. */
let receiving: MessageVector | undefined;

function serveQueue(
  number: number,
  socket: NetlinkSocket,
  before: Omit<OpenQueue, "fd"> = { read: [], overflows: 0 },
): PacketQueue {
  const what = `packet queue ${number}`;
  const { writer } = socket;
  let { read, overflows } = before;

  /** Unacknowledged. The only refusal is of an id that is gone; receive() passes over it. */
  function verdicts(decided: readonly PacketVerdict[]): void {
    writer.reset();
    for (const { id, verdict, mark } of decided) {
      writer.message(messageType(messages.verdict), NLM_F_REQUEST).netfilterHeader(0, number);
      writer.value(attributes.verdict, verdictHeader(verdictCodes[verdict], id));
      if (mark !== undefined) writer.u32be(attributes.mark, mark);
    }
    socket.request(what);
  }

  return {
    fd: socket.fd,
    receive() {
      const packets: QueuedPacket[] = [...read];
      read = [];
      receiving ??= new MessageVector(READ_AT_ONCE, MESSAGE_BYTES);
      overflows += socket.receiveShort(receiving, TAKEN_AT_ONCE, (message) => {
        const packet = packetIn(message);
        if (packet !== undefined) packets.push(packet);
      });
      return packets;
    },
    verdict(id, verdict, mark) {
      verdicts([mark === undefined ? { id, verdict } : { id, verdict, mark }]);
    },
    verdicts(decisions) {
      if (decisions.length > 0) verdicts(decisions);
    },
    takeOverflows() {
      const taken = overflows;
      overflows = 0;
      return taken;
    },
    takeNoMore() {
      // Unacknowledged: who waits for an answer reads over packets.
      writer.reset().message(messageType(messages.config), NLM_F_REQUEST).netfilterHeader(0, number);
      writer.u32be(config.maxLength, 0);
      socket.request(what);
    },
    close: () => socket.close(),
  };
}

function packetIn({ type, view, start, end }: NetlinkMessage): QueuedPacket | undefined {
  if (type !== messageType(messages.packet)) return undefined;
  const family = view.getUint8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  let id: number | undefined;
  let mark = 0;
  let payload: Uint8Array = new Uint8Array();
  eachAttribute(view, start + NETFILTER_HEADER, end, (attribute, from, to) => {
    switch (attribute) {
      case attributes.header:
        id = view.getUint32(from);
        return;
      case attributes.mark:
        mark = view.getUint32(from);
        return;
      case attributes.payload:
        payload = readBytes(view, from, to);
    }
  });
  if (id === undefined) return undefined;
  return { id, mark, payload };
}

function messageType(message: number): number {
  return (NFNL_SUBSYS_QUEUE << 8) | message;
}

/** struct nfqnl_msg_config_params, packed. */
function copyParameters(copyBytes: number): Uint8Array {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(copyBytes);
  bytes.writeUInt8(COPY_PACKET, 4);
  return bytes;
}

/** struct nfqnl_msg_verdict_hdr. */
function verdictHeader(verdict: number, id: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(verdict);
  bytes.writeUInt32BE(id, 4);
  return bytes;
}

/** The kernel says EPERM when another process reads the queue; by now it is known that we have the privilege. */
export function openOwnQueue(spec: QueueSpec): PacketQueue {
  try {
    return openQueue(spec);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "NO_PRIVILEGE") throw error;
    throw new DockerwallError(
      "DAEMON_RUNNING",
      `packet queue ${spec.number} is read by another program, probably another dockerwall daemon; stop it or set DOCKERWALL_QUEUE`,
      { cause: error },
    );
  }
}
