// Changes of sets, and of their entries; in the kernel on return.

import { NLA_F_NET_BYTEORDER, NLM_F_REQUEST } from "../netlink/message.ts";
import { NetlinkError } from "../netlink/refusal.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { writeEntry } from "./entry.ts";
import { ACKNOWLEDGED, attributes, commands, type SetEntry, writeCommand } from "./message.ts";
import type { SetSocket } from "./protocol.ts";
import { explained, type Sent } from "./refusal.ts";

/** Entries in one message; more gain nothing (measured: 0.57 µs per entry). */
const ENTRIES_PER_MESSAGE = 64;
/** Messages go out together until they reach this size. */
const BYTES_PER_SEND = 256 << 10;

/** Gives one command about a set; `writeRest` writes what it takes beside the name. @throws KernelSetError */
export function giveCommand(
  { socket, protocol }: SetSocket,
  { command, name, what }: { readonly command: number; readonly name: string; readonly what: string },
  writeRest?: (writer: NetlinkWriter) => void,
): void {
  writeCommand(socket.writer.reset(), { command, flags: ACKNOWLEDGED, protocol, name });
  writeRest?.(socket.writer);
  try {
    socket.request(what);
  } catch (error) {
    throw explained(error, what);
  }
}

/** Entries of one set. */
export interface SetEntries {
  readonly name: string;
  readonly entries: readonly SetEntry[];
}

/** A message on its way. */
interface SentMessage extends Sent {
  /** Of the set that the entries are of. */
  readonly name: string;
}

/**
 * Adds entries to sets or takes them out, in as few requests as they fit into, each acknowledged once. Where the kernel
 * refuses an entry, those before it in its message are in, those behind it are not, and other messages are carried out.
 * @throws KernelSetError with the index, in its set's entries, of the first that was not taken
 */
export function changeEntries(kernel: SetSocket, change: "add" | "del", sets: readonly SetEntries[]): void {
  const { writer } = kernel.socket;
  let sent: SentMessage[] = [];
  writer.reset();
  for (const { name, entries } of sets) {
    for (let from = 0; from < entries.length; from += ENTRIES_PER_MESSAGE) {
      const message = { name, entries, from };
      writeEntries(kernel, change, message);
      sent.push(message);
      if (writer.length < BYTES_PER_SEND) continue;
      send(kernel, change, sent);
      sent = [];
      writer.reset();
    }
  }
  if (sent.length > 0) send(kernel, change, sent);
}

function writeEntries(
  { socket: { writer }, protocol }: SetSocket,
  change: "add" | "del",
  { name, entries, from }: SentMessage,
): void {
  writeCommand(writer, { command: commands[change], flags: NLM_F_REQUEST, protocol, name });
  writer.u32be(attributes.line | NLA_F_NET_BYTEORDER, 0).nest(attributes.entries);
  const to = Math.min(entries.length, from + ENTRIES_PER_MESSAGE);
  // Line 0 means "no line" to the kernel.
  for (let at = from; at < to; at++) writeEntry(writer, entries[at] as SetEntry, at + 1);
  writer.end();
}

/** Refusals come back by themselves; that all is carried out, by the acknowledgement of the last message. */
function send({ socket }: SetSocket, change: "add" | "del", sent: readonly SentMessage[]): void {
  const whatOf = (name: string): string =>
    change === "add" ? `to add to set ${name}` : `to remove from set ${name}`;
  socket.writer.acknowledge();
  try {
    socket.request(whatOf([...new Set(sent.map(({ name }) => name))].join(", ")));
  } catch (error) {
    const refused = error instanceof NetlinkError ? sent[error.index] : undefined;
    throw refused === undefined ? error : explained(error, whatOf(refused.name), refused);
  }
}
