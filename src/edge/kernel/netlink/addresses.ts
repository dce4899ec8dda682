// The addresses of the interfaces of a network namespace, as rtnetlink reports them.
// @see rtnetlink(7), include/uapi/linux/if_addr.h

import { addressFromBytes, type IpAddress } from "../../../core/model/address.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
  readHostInt,
} from "./message.ts";
import type { NetlinkWriter } from "./writer.ts";

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const attribute = { address: 1, local: 2, flags: 8 } as const;
/** struct ifaddrmsg: family, prefix length, flags, scope, interface index (4 bytes). */
const HEADER_SIZE = 8;
const FLAGS_AT = 2;
const SCOPE_AT = 3;
const INDEX_AT = 4;

/** An address of an interface. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** Of the interface. */
  readonly index: number;
  /** RT_SCOPE_…. */
  readonly scope: number;
  /** IFA_F_…. */
  readonly flags: number;
}

/** Asks for all addresses of a family; AF_UNSPEC is every one. */
export function writeGetAddresses(writer: NetlinkWriter, family: number): void {
  const header = new Uint8Array(HEADER_SIZE);
  header[0] = family;
  writer.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(header);
}

/** The address in a message; undefined when it is of something else. */
export function readInterfaceAddress({
  type,
  view,
  start,
  end,
}: NetlinkMessage): InterfaceAddress | undefined {
  if (type !== RTM_NEWADDR || start + HEADER_SIZE > end) return undefined;
  let local: Uint8Array | undefined;
  let address: Uint8Array | undefined;
  let flags = view.getUint8(start + FLAGS_AT);
  eachAttribute(view, start + HEADER_SIZE, end, (of, from, to) => {
    if (of === attribute.local) local = readBytes(view, from, to);
    if (of === attribute.address) address = readBytes(view, from, to);
    if (of === attribute.flags) flags = readHostInt(view, from);
  });
  // On a point-to-point link the "address" is the other side's.
  const bytes = local ?? address;
  if (bytes === undefined) return undefined;
  return {
    address: addressFromBytes(bytes),
    family: view.getUint8(start),
    index: readHostInt(view, start + INDEX_AT),
    scope: view.getUint8(start + SCOPE_AT),
    flags,
  };
}
