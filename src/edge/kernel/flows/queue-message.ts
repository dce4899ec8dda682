// The messages of a packet queue: how it is set up, the packets that come out of it, and the verdicts on them.
// @see include/uapi/linux/netfilter/nfnetlink_queue.h, net/netfilter/nfnetlink_queue.c

import type { QueuedPacket } from "../../../core/queued-packet.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readBytes,
} from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";

const NFNL_SUBSYS_QUEUE = 3;
const messages = { packet: 0, verdict: 1, config: 2 } as const;
const attributes = { header: 1, verdict: 2, mark: 3, payload: 10, wholeLength: 13 } as const;
const config = { command: 1, parameters: 2, maxLength: 3, mask: 4, flags: 5 } as const;
const COMMAND_BIND = 1;
const COPY_PACKET = 2;
const FLAG_FAIL_OPEN = 1;
/**
 * Packets are left as they are. Without it the kernel fills in checksums that their senders have left to the network
 * card before it shows them to us, and a sender may have left any two bytes: the packet that goes on would be another
 * than the one whose flow is tracked. It cuts none into segments either: one of up to 64 KB comes as it is.
 */
const FLAG_UNFILLED = 4;
const verdictCodes = { drop: 0, accept: 1, repeat: 4 } as const;
const NETFILTER_HEADER = 4;

export type Verdict = keyof typeof verdictCodes;

/** What becomes of a packet: see PacketQueue.verdict(). */
export interface PacketVerdict {
  readonly id: number;
  readonly verdict: Verdict;
  readonly mark?: number;
}

/** Takes the queue for the socket that this is sent by. */
export function writeBind(writer: NetlinkWriter, number: number): void {
  writer.message(messageType(messages.config), NLM_F_REQUEST | NLM_F_ACK).netfilterHeader(0, number);
  writer.value(config.command, Uint8Array.of(COMMAND_BIND, 0, 0, 0));
}

/** @param whenFull what becomes of packets that find no room */
export function writeParameters(
  writer: NetlinkWriter,
  number: number,
  { copyBytes, maxLength, whenFull }: { copyBytes: number; maxLength: number; whenFull: "drop" | "pass" },
): void {
  writer.message(messageType(messages.config), NLM_F_REQUEST | NLM_F_ACK).netfilterHeader(0, number);
  writer.value(config.parameters, copyParameters(copyBytes)).u32be(config.maxLength, maxLength);
  const flags = FLAG_UNFILLED | (whenFull === "pass" ? FLAG_FAIL_OPEN : 0);
  writer.u32be(config.mask, flags).u32be(config.flags, flags);
}

/** Unacknowledged: who waits for an answer reads over packets. */
export function writeMaxLength(writer: NetlinkWriter, number: number, maxLength: number): void {
  writer.message(messageType(messages.config), NLM_F_REQUEST).netfilterHeader(0, number);
  writer.u32be(config.maxLength, maxLength);
}

/** Unacknowledged. */
export function writeVerdict(
  writer: NetlinkWriter,
  number: number,
  { id, verdict, mark }: PacketVerdict,
): void {
  writer.message(messageType(messages.verdict), NLM_F_REQUEST).netfilterHeader(0, number);
  writer.value(attributes.verdict, verdictHeader(verdictCodes[verdict], id));
  if (mark !== undefined) writer.u32be(attributes.mark, mark);
}

/** The packet in a message; undefined for any other message, and where it is of neither version of IP. */
export function readQueuedPacket({ type, view, start, end }: NetlinkMessage): QueuedPacket | undefined {
  if (type !== messageType(messages.packet)) return undefined;
  const family = view.getUint8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  let id: number | undefined;
  let mark = 0;
  let payload: Uint8Array = new Uint8Array();
  let isCut = false;
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
        return;
      case attributes.wholeLength:
        // Only there when the packet is longer than what was copied of it.
        isCut = true;
    }
  });
  if (id === undefined) return undefined;
  return { id, mark, payload, isCut };
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
