// One entry of a kernel set, in the bytes of netlink.

import {
  addressBytes,
  addressFromBytes,
  familyOf,
  type IpAddress,
  type Prefix,
} from "../../../core/model/address.ts";
import { eachAttribute, NLA_F_NET_BYTEORDER, readBytes, readText } from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { attributes, data, FLAG_NOMATCH, type ListedEntry, type SetEntry, type SetKey } from "./message.ts";

/** Largest comment that the kernel takes, bytes. */
const MAX_COMMENT_BYTES = 255;
const ADDRESS_V4 = 1;
const ADDRESS_V6 = 2;
const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** One entry of an add or del; `line` comes back with the error that it causes. */
export function writeEntry(writer: NetlinkWriter, entry: SetEntry, line: number): void {
  writer.nest(attributes.data);
  writeKey(writer, entry.key);
  if (entry.timeoutSeconds !== undefined)
    writer.u32be(data.timeout | NLA_F_NET_BYTEORDER, entry.timeoutSeconds);
  if (entry.comment !== undefined) writer.text(data.comment, checkedComment(entry.comment));
  writer.u32be(data.line | NLA_F_NET_BYTEORDER, line);
  writer.end();
}

function writeKey(writer: NetlinkWriter, key: SetKey): void {
  switch (key.kind) {
    case "ip-port-ip":
      writeAddress(writer, data.ip, key.first);
      writer.u16be(data.port | NLA_F_NET_BYTEORDER, key.port).u8(data.protocol, key.protocol);
      writeAddress(writer, data.ip2, key.second);
      return;
    case "ip-port-net":
      writeAddress(writer, data.ip, key.first);
      writer.u16be(data.port | NLA_F_NET_BYTEORDER, key.port).u8(data.protocol, key.protocol);
      writeAddress(writer, data.ip2, key.prefix.address);
      writer.u8(data.cidr2, key.prefix.length);
      writeNomatch(writer, key);
      return;
    case "net-iface":
      writeAddress(writer, data.ip, key.prefix.address);
      writer.u8(data.cidr, key.prefix.length).text(data.iface, key.iface);
      return;
    case "net":
      writeAddress(writer, data.ip, key.prefix.address);
      writer.u8(data.cidr, key.prefix.length);
      return;
    case "net-port":
      writeAddress(writer, data.ip, key.prefix.address);
      writer.u8(data.cidr, key.prefix.length);
      writer.u16be(data.port | NLA_F_NET_BYTEORDER, key.port).u8(data.protocol, key.protocol);
      writeNomatch(writer, key);
      return;
    case "set":
      writer.text(data.name, key.name);
      return;
  }
}

function writeNomatch(writer: NetlinkWriter, { nomatch }: { readonly nomatch?: boolean }): void {
  if (nomatch === true) writer.u32be(data.flags | NLA_F_NET_BYTEORDER, FLAG_NOMATCH);
}

function writeAddress(writer: NetlinkWriter, type: number, address: IpAddress): void {
  writer.nest(type);
  if (familyOf(address) === 4) writer.u32be(ADDRESS_V4 | NLA_F_NET_BYTEORDER, version4Number(address));
  else writer.value(ADDRESS_V6 | NLA_F_NET_BYTEORDER, addressBytes(address));
  writer.end();
}

/** Ten times as fast as addressBytes(), and most of what an add costs before the kernel has it. */
function version4Number(address: IpAddress): number {
  let number = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      number = number * 256 + part;
      part = 0;
    } else {
      part = part * 10 + code - DIGIT_0;
    }
  }
  return number * 256 + part;
}

function checkedComment(comment: string): string {
  if (Buffer.byteLength(comment) > MAX_COMMENT_BYTES || comment.includes("\0")) {
    throw new RangeError(
      `a comment has at most ${MAX_COMMENT_BYTES} bytes and no NUL: ${JSON.stringify(comment)}`,
    );
  }
  return comment;
}

/** The entry in one `data` nest of a listing; undefined when it is of a kind that we do not use. */
export function readEntry(view: DataView, start: number, end: number): ListedEntry | undefined {
  let first: IpAddress | undefined;
  let second: IpAddress | undefined;
  let cidr: number | undefined;
  let cidr2: number | undefined;
  let port: number | undefined;
  let protocol = 0;
  let nomatch = false;
  let iface: string | undefined;
  let name: string | undefined;
  let timeoutSeconds: number | undefined;
  let packets: number | undefined;
  let bytes: number | undefined;
  let comment: string | undefined;
  eachAttribute(view, start, end, (type, from, to) => {
    switch (type) {
      case data.ip:
        first = readAddress(view, from, to);
        return;
      case data.ip2:
        second = readAddress(view, from, to);
        return;
      case data.cidr:
        cidr = view.getUint8(from);
        return;
      case data.cidr2:
        cidr2 = view.getUint8(from);
        return;
      case data.port:
        port = view.getUint16(from);
        return;
      case data.protocol:
        protocol = view.getUint8(from);
        return;
      case data.flags:
        nomatch = (view.getUint32(from) & FLAG_NOMATCH) !== 0;
        return;
      case data.iface:
        iface = readText(view, from, to);
        return;
      case data.name:
        name = readText(view, from, to);
        return;
      case data.timeout:
        timeoutSeconds = view.getUint32(from);
        return;
      case data.packets:
        packets = Number(view.getBigUint64(from));
        return;
      case data.bytes:
        bytes = Number(view.getBigUint64(from));
        return;
      case data.comment:
        comment = readText(view, from, to);
    }
  });
  const key = keyOf({ first, second, cidr, cidr2, port, protocol, nomatch, iface, name });
  return key === undefined ? undefined : { key, timeoutSeconds, packets, bytes, comment };
}

interface KeyParts {
  readonly first: IpAddress | undefined;
  readonly second: IpAddress | undefined;
  readonly cidr: number | undefined;
  readonly cidr2: number | undefined;
  readonly port: number | undefined;
  readonly protocol: number;
  readonly nomatch: boolean;
  readonly iface: string | undefined;
  readonly name: string | undefined;
}

function keyOf(parts: KeyParts): SetKey | undefined {
  const { first, second, cidr, cidr2, port, protocol, nomatch, iface, name } = parts;
  const except = nomatch ? { nomatch } : {};
  if (name !== undefined) return { kind: "set", name };
  if (first === undefined) return undefined;
  if (second !== undefined && port !== undefined && cidr2 !== undefined)
    return {
      ...{ kind: "ip-port-net", first, protocol, port, prefix: { address: second, length: cidr2 } },
      ...except,
    };
  if (second !== undefined && port !== undefined)
    return { kind: "ip-port-ip", first, protocol, port, second };
  // The kernel leaves the length out where it is that of a host, and says 0 for the widest.
  const prefix: Prefix = { address: first, length: cidr ?? (familyOf(first) === 4 ? 32 : 128) };
  if (iface !== undefined) return { kind: "net-iface", prefix, iface };
  if (port === undefined) return { kind: "net", prefix };
  return { kind: "net-port", prefix, protocol, port, ...except };
}

function readAddress(view: DataView, start: number, end: number): IpAddress | undefined {
  let address: IpAddress | undefined;
  eachAttribute(view, start, end, (_type, from, to) => {
    address = addressFromBytes(readBytes(view, from, to));
  });
  return address;
}

/** The line number in the echo of a refused add or del: which entry it was. */
export function readLine(view: DataView, start: number, end: number): number | undefined {
  let line: number | undefined;
  eachAttribute(view, start, end, (type, from) => {
    if (type === attributes.line) line = view.getUint32(from);
  });
  return line;
}
