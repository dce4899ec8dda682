// Packets that a rule passes to us (-j NFQUEUE), and our verdicts on them. A queue that fails is closed: without
// --queue-bypass, and unless it says otherwise, the kernel then drops the packets.
// @see include/uapi/linux/netfilter/nfnetlink_queue.h

import type { OpenQueue, QueuedPacket } from "../../../core/queued-packet.ts";
import { DockerwallError } from "../../../errors.ts";
import * as libc from "../libc.ts";
import { MessageVector } from "../message-vector.ts";
import { NetlinkError } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, NetlinkSocket, openNetlink } from "../netlink/socket.ts";
import {
  type PacketVerdict,
  readQueuedPacket,
  type Verdict,
  writeBind,
  writeMaxLength,
  writeParameters,
  writeVerdict,
} from "./queue-message.ts";

export type { PacketVerdict } from "./queue-message.ts";

/** What the kernel copies of a packet at most (NFQNL_MAX_COPY_RANGE): all of it, but for some longer than 64 KB. */
export const wholePacketBytes = 65_531;

/** How packets are read. */
interface Reading {
  /** Packets that a system call reads. */
  readonly perCall: number;
  /** Room for the message of each: attributes, and the part of it that is wanted. */
  readonly messageBytes: number;
  /** Packets taken at once; the rest waits for the next turn of the event loop. */
  readonly atOnce: number;
}

const heads: Reading = { perCall: 64, messageBytes: 1024, atOnce: 256 };
/** The longest copy that leaves room for the other attributes there. */
const HEAD_BYTES_AT_MOST = 512;
/** Room of 1 MB; a turn copies 4 MB at most. */
const wholes: Reading = { perCall: 16, messageBytes: 65_536 + 512, atOnce: 64 };
/** Of the socket's queue, which is counted twice this; a short packet costs some 1.3 KB in it. Taken only while used. */
const RECEIVE_BYTES_PER_PACKET = 1024;

export interface QueueSpec {
  /** 0 to 65535, as in `--queue-num`. */
  readonly number: number;
  /** How many packets may wait for a verdict; more are dropped by the kernel. */
  readonly maxLength: number;
  /**
   * How much of each packet is wanted, bytes, from the IP header on; `wholePacketBytes` at most. Above 512, fewer packets
   * are read at once.
   */
  readonly copyBytes: number;
  /** What becomes of packets that find no room: `drop` when not said. */
  readonly whenFull?: "drop" | "pass";
}

export interface PacketQueue {
  /** Readable when packets wait, see Readiness. */
  readonly fd: number;
  /**
   * What waits now, up to 256 packets, or 64 of a queue of long copies, and what was read before; never waits. Each of
   * them is held by the kernel until its verdict.
   */
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
  if (spec.copyBytes > wholePacketBytes)
    throw new DockerwallError("INTERNAL", `${what} cannot copy ${spec.copyBytes} bytes of a packet`);
  const reading = spec.copyBytes > HEAD_BYTES_AT_MOST ? wholes : heads;
  const socket = openNetlink(NETLINK_NETFILTER, what);
  const { writer } = socket;
  libc.setsockopt(socket.fd, libc.SO_RCVBUFFORCE, receiveBytes(spec), what);
  writeBind(writer, spec.number);
  writeParameters(writer, spec.number, { ...spec, whenFull: spec.whenFull ?? "drop" });
  try {
    socket.request(what);
  } catch (error) {
    socket.close();
    throw error;
  }

  return serveQueue(spec.number, socket, reading);
}

/** Room for a full queue: a long copy is counted with its bytes, which it shares with the packet that is held. */
function receiveBytes({ maxLength, copyBytes }: QueueSpec): number {
  const copied = copyBytes > HEAD_BYTES_AT_MOST ? Math.ceil(copyBytes / 2) : 0;
  return maxLength * (RECEIVE_BYTES_PER_PACKET + copied);
}

/** Goes on with a queue of short copies that another thread of this process has opened, and leaves alone from now on. */
export function adoptQueue(number: number, open: OpenQueue): PacketQueue {
  return serveQueue(number, new NetlinkSocket(open.fd, `packet queue ${number}`), heads, open);
}

/** For the thread, made when first needed: everything is read out of one before it receives again. */
const vectors = new Map<Reading, MessageVector>();

function vectorFor(reading: Reading): MessageVector {
  const made = vectors.get(reading) ?? new MessageVector(reading.perCall, reading.messageBytes);
  vectors.set(reading, made);
  return made;
}

function serveQueue(
  number: number,
  socket: NetlinkSocket,
  reading: Reading,
  before: Omit<OpenQueue, "fd"> = { read: [], overflows: 0 },
): PacketQueue {
  const what = `packet queue ${number}`;
  const { writer } = socket;
  let { read, overflows } = before;
  let vector: MessageVector | undefined;

  /** Unacknowledged. The only refusal is of an id that is gone; receive() passes over it. */
  function verdicts(decided: readonly PacketVerdict[]): void {
    writer.reset();
    for (const each of decided) writeVerdict(writer, number, each);
    socket.request(what);
  }

  return {
    fd: socket.fd,
    receive() {
      const packets: QueuedPacket[] = [...read];
      read = [];
      vector ??= vectorFor(reading);
      overflows += socket.receiveShort(vector, reading.atOnce, (message) => {
        const packet = readQueuedPacket(message);
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
      writeMaxLength(writer.reset(), number, 0);
      socket.request(what);
    },
    close: () => socket.close(),
  };
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
