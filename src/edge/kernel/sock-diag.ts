// Sockets of the calling thread's namespace, as the kernel lists them: the one that sent a packet, those that lead to a
// port, and whatever another family's request asks for.
// @see sock_diag(7), net/ipv4/inet_diag.c, net/ipv4/udp_diag.c

import { AF_INET, AF_INET6 } from "./libc.ts";
import {
  hostBytes,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readHostInt,
  viewOf,
} from "./netlink/message.ts";
import { isMissing, NetlinkError } from "./netlink/refusal.ts";
import { NETLINK_SOCK_DIAG, openNetlink } from "./netlink/socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const TCP = 6;
const UDP = 17;
const EVERY_STATE = 0xffff_ffff;
/**
 * Of the mask of states (include/net/tcp_states.h): ESTABLISHED, as which a connected UDP socket counts, SYN_SENT, and
 * those in which there may be something to send again, FIN_WAIT1, CLOSE_WAIT, LAST_ACK and CLOSING.
 */
const LIVE_STATES = [1, 2, 4, 8, 9, 11].reduce((mask, state) => mask | (1 << state), 0);
/** struct inet_diag_req_v2: where its parts begin. */
const request = {
  size: 56,
  states: 4,
  source: { port: 8, address: 12 },
  destination: { port: 10, address: 28 },
  cookie: 48,
};
/** Where struct inet_diag_msg has the inode. */
const INODE_AT = 68;

/** The two ends of a packet, as bytes in it. */
interface Ends {
  readonly family: number;
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: Uint8Array;
  readonly destinationPort: Uint8Array;
}

/**
 * The inode of the UDP or TCP socket that sent this packet, by its IP header and what follows; 0 when there is none any
 * more, undefined when it cannot be told.
 */
export function socketInode(packet: Uint8Array): number | undefined {
  const ends = endsOf(packet);
  if (ends === undefined) return undefined;
  const socket = openNetlink(NETLINK_SOCK_DIAG, "the socket of a packet");
  let inode = 0;
  try {
    socket.writer.message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_ACK).raw(requestFor(ends));
    socket.request("the socket of a packet", (message) => {
      inode = inodeIn(message) ?? inode;
    });
    return inode;
  } catch (error) {
    // Gone, or a kernel without it.
    if (isMissing(error)) return 0;
    if (error instanceof NetlinkError) return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

/**
 * The inodes of UDP and TCP sockets whose other end has this port, as long as something may still leave by them.
 * Undefined when that cannot be told.
 */
export function socketsTo(port: number): readonly number[] | undefined {
  const inodes: number[] = [];
  const requests = [AF_INET, AF_INET6].flatMap((family) =>
    [UDP, TCP].map((protocol) => requestForAll(family, protocol, port)),
  );
  const isTold = listSockets(`sockets to port ${port}`, requests, (message) => {
    const inode = inodeIn(message);
    if (inode !== undefined) inodes.push(inode);
  });
  return isTold ? inodes : undefined;
}

/**
 * Lists the sockets of each of these requests (struct inet_diag_req_v2, unix_diag_req …); a message for each, valid only
 * during the call.
 * @returns false where the kernel does not tell
 */
export function listSockets(
  what: string,
  requests: readonly Uint8Array[],
  onSocket: (message: NetlinkMessage) => void,
): boolean {
  const socket = openNetlink(NETLINK_SOCK_DIAG, what);
  try {
    for (const request of requests) {
      socket.writer
        .reset()
        .message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP)
        .raw(request);
      socket.request(what, (message) => {
        if (message.type === SOCK_DIAG_BY_FAMILY) onSocket(message);
      });
    }
    return true;
  } catch (error) {
    if (error instanceof NetlinkError) return false;
    throw error;
  } finally {
    socket.close();
  }
}

function requestForAll(family: number, protocol: number, remotePort: number): Uint8Array {
  const bytes = new Uint8Array(request.size);
  const view = viewOf(bytes);
  bytes.set([family, protocol]);
  bytes.set(hostBytes(LIVE_STATES), request.states);
  view.setUint16(request.destination.port, remotePort);
  return bytes;
}

function inodeIn({ type, view, start, end }: NetlinkMessage): number | undefined {
  return type === SOCK_DIAG_BY_FAMILY && start + INODE_AT + 4 <= end
    ? readHostInt(view, start + INODE_AT)
    : undefined;
}

function endsOf(packet: Uint8Array): Ends | undefined {
  const version = (packet[0] ?? 0) >> 4;
  const size = version === 4 ? ((packet[0] ?? 0) & 0xf) * 4 : 40;
  const protocol = packet[version === 4 ? 9 : 6] ?? 0;
  // Behind extension headers, which no resolver sends, it stays untold.
  if ((version !== 4 && version !== 6) || (protocol !== TCP && protocol !== UDP)) return undefined;
  if (packet.length < size + 4) return undefined;
  const [from, length] = version === 4 ? [12, 4] : [8, 16];
  return {
    family: version === 4 ? AF_INET : AF_INET6,
    protocol,
    source: packet.subarray(from, from + length),
    destination: packet.subarray(from + length, from + 2 * length),
    sourcePort: packet.subarray(size, size + 2),
    destinationPort: packet.subarray(size + 2, size + 4),
  };
}

function requestFor({ family, protocol, ...ends }: Ends): Uint8Array {
  const bytes = new Uint8Array(request.size);
  bytes[0] = family;
  bytes[1] = protocol;
  new DataView(bytes.buffer).setUint32(request.states, EVERY_STATE);
  // "src and dst are swapped for historical reasons" (udp_dump_one()).
  const [local, remote] =
    protocol === UDP ? [request.destination, request.source] : [request.source, request.destination];
  bytes.set(ends.source, local.address);
  bytes.set(ends.sourcePort, local.port);
  bytes.set(ends.destination, remote.address);
  bytes.set(ends.destinationPort, remote.port);
  bytes.fill(0xff, request.cookie);
  return bytes;
}
