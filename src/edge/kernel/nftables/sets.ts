// Sets of nftables, in the bytes of netlink: creating one, and its elements.
// @see include/uapi/linux/netfilter/nf_tables.h

import { hostBytes, NLM_F_CREATE } from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import {
  datum,
  element,
  elements,
  LIST_ELEMENT,
  messages,
  type NftTable,
  protocols,
  SET_TIMEOUT,
  set,
} from "./numbers.ts";
import { begin } from "./write.ts";

/** What a set is of, by its number in the tool `nft`, its length in bytes, and their order. */
const keyTypes = {
  iface_index: { type: 20, length: 4, order: 1 },
  ether_type: { type: 10, length: 2, order: 2 },
} as const;

export interface SetDefinition {
  readonly table: NftTable;
  readonly name: string;
  readonly type: keyof typeof keyTypes;
  /** Whether its elements run out. */
  readonly timeout: boolean;
}

/** Makes a set. @param id of its own among those of one batch */
export function writeNewSet(writer: NetlinkWriter, spec: SetDefinition, id: number): void {
  const { type, length, order } = keyTypes[spec.type];
  begin(writer, messages.newSet, NLM_F_CREATE, protocols[spec.table.family])
    .text(set.table, spec.table.name)
    .text(set.name, spec.name)
    .u32be(set.flags, spec.timeout ? SET_TIMEOUT : 0)
    .u32be(set.keyType, type)
    .u32be(set.keyLength, length)
    .u32be(set.id, id)
    // For those who list it: whether its keys are in the order of the host (1) or of the network (2).
    .value(set.userData, Uint8Array.of(0, 4, ...hostBytes(order)));
}

export interface SetElements {
  readonly table: NftTable;
  readonly set: string;
  readonly keys: readonly Uint8Array[];
  readonly timeoutMs?: number;
}

/** As many as fit into the one attribute of a message, which has 16 bits for its length; with a timeout each takes 28 bytes. */
const keysPerMessage = 2_000;

export function writeAddElements(writer: NetlinkWriter, added: SetElements): void {
  for (const part of inMessages(added))
    writeElements(begin(writer, messages.newElement, NLM_F_CREATE, protocols[added.table.family]), part);
}

/** One that is not there is an error. */
export function writeDeleteElements(writer: NetlinkWriter, deleted: SetElements): void {
  for (const part of inMessages(deleted))
    writeElements(begin(writer, messages.deleteElement, 0, protocols[deleted.table.family]), part);
}

function* inMessages(all: SetElements): Generator<SetElements> {
  for (let at = 0; at < all.keys.length; at += keysPerMessage)
    yield { ...all, keys: all.keys.slice(at, at + keysPerMessage) };
}

/** Takes every element out of a set. */
export function writeFlushSet(writer: NetlinkWriter, of: NftTable, setName: string): void {
  begin(writer, messages.deleteElement, 0, protocols[of.family])
    .text(elements.table, of.name)
    .text(elements.set, setName);
}

function writeElements(writer: NetlinkWriter, { table: of, set: name, keys, timeoutMs }: SetElements): void {
  writer.text(elements.table, of.name).text(elements.set, name).nest(elements.list);
  for (const key of keys) {
    writer.nest(LIST_ELEMENT).nest(element.key).value(datum.value, key).end();
    if (timeoutMs !== undefined) writer.value(element.timeout, longBytes(timeoutMs));
    writer.end();
  }
  writer.end();
}

function longBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
