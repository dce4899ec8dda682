// The addresses of the host itself, on every interface. Those of one without a carrier count too, which Node leaves out:
// Docker's own bridges are without one while no container is on them, and still answer.

import { addressFromBytes, type IpAddress } from "../../core/model/address.ts";
import { AF_UNSPEC } from "../kernel/libc.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
} from "../kernel/netlink/message.ts";
import { NETLINK_ROUTE, openNetlink } from "../kernel/netlink/socket.ts";

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** struct ifaddrmsg. */
const HEADER_SIZE = 8;

/** @throws DockerwallError KERNEL_REFUSED */
export function listHostAddresses(): readonly IpAddress[] {
  const socket = openNetlink(NETLINK_ROUTE, "addresses of the host");
  let found: IpAddress[] = [];
  try {
    const header = new Uint8Array(HEADER_SIZE);
    header[0] = AF_UNSPEC;
    socket.writer.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(header);
    socket.dump(
      "the addresses of the host",
      () => {
        found = [];
      },
      (message) => found.push(...addressIn(message)),
    );
  } finally {
    socket.close();
  }
  return found;
}

function addressIn({ type, view, start, end }: NetlinkMessage): IpAddress[] {
  if (type !== RTM_NEWADDR) return [];
  let local: Uint8Array | undefined;
  let address: Uint8Array | undefined;
  eachAttribute(view, start + HEADER_SIZE, end, (attribute, from, to) => {
    if (attribute === IFA_LOCAL) local = readBytes(view, from, to);
    if (attribute === IFA_ADDRESS) address = readBytes(view, from, to);
  });
  // On a point-to-point link the "address" is the other side's.
  const bytes = local ?? address;
  return bytes === undefined ? [] : [addressFromBytes(bytes)];
}
