// What the kernel says of the sets that there are.

import {
  eachAttribute,
  type NetlinkMessage,
  NLA_F_NET_BYTEORDER,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readText,
} from "../netlink/message.ts";
import { readEntry } from "./entry.ts";
import {
  ACKNOWLEDGED,
  attributes,
  commands,
  FLAG_LIST_SETNAME,
  type ListedEntry,
  writeCommand,
} from "./message.ts";
import type { SetSocket } from "./protocol.ts";
import { explained } from "./refusal.ts";

/** Ends a reading that has enough. */
const enough = new Error("enough was read");

/** All entries, or the first ones until there are `atMost`: what is not read then stays in the socket. */
export function listEntries(
  { socket, protocol }: SetSocket,
  name: string,
  atMost = Number.POSITIVE_INFINITY,
): ListedEntry[] {
  const entries: ListedEntry[] = [];
  const what = `to list set ${name}`;
  const flags = NLM_F_REQUEST | NLM_F_DUMP;
  writeCommand(socket.writer.reset(), { command: commands.list, flags, protocol, name });
  try {
    socket.request(what, (message) => {
      if (entries.length >= atMost) throw enough;
      readEntries(message, entries);
    });
  } catch (error) {
    if (error !== enough) throw explained(error, what);
  }
  return entries;
}

/**
 * Asks for all entries. Each call of the result reads the kernel's next message; until it has read them all, the socket
 * takes nothing else.
 * @param wanted false for entries that are passed over, which is faster
 * @returns gives undefined once there are no more
 */
export function listInSteps(
  { socket, protocol }: SetSocket,
  name: string,
  wanted: () => boolean,
): () => readonly ListedEntry[] | undefined {
  const what = `to list set ${name}`;
  const flags = NLM_F_REQUEST | NLM_F_DUMP;
  writeCommand(socket.writer.reset(), { command: commands.list, flags, protocol, name });
  let entries: ListedEntry[] = [];
  const readMore = socket.dumpInSteps(what, (message) => {
    if (wanted()) readEntries(message, entries);
  });
  return () => {
    entries = [];
    try {
      return readMore() ? entries : undefined;
    } catch (error) {
      throw explained(error, what);
    }
  };
}

function readEntries({ view, start, end }: NetlinkMessage, into: ListedEntry[]): void {
  eachAttribute(view, start + 4, end, (type, first, last) => {
    if (type !== attributes.entries) return;
    eachAttribute(view, first, last, (_type, entryFrom, entryTo) => {
      const entry = readEntry(view, entryFrom, entryTo);
      if (entry !== undefined) into.push(entry);
    });
  });
}

export function listNames({ socket, protocol }: SetSocket): string[] {
  const names: string[] = [];
  const { writer } = socket;
  writeCommand(writer.reset(), { command: commands.list, flags: NLM_F_REQUEST | NLM_F_DUMP, protocol });
  writer.u32be(attributes.flags | NLA_F_NET_BYTEORDER, FLAG_LIST_SETNAME);
  socket.request("to list the sets", ({ view, start, end }) => {
    eachAttribute(view, start + 4, end, (type, from, to) => {
      if (type === attributes.setName) names.push(readText(view, from, to));
    });
  });
  return names;
}

/** The address family of a set, as familyNumber() gives it. */
export function readFamily({ socket, protocol }: SetSocket, name: string): number | undefined {
  let family: number | undefined;
  writeCommand(socket.writer.reset(), { command: commands.header, flags: ACKNOWLEDGED, protocol, name });
  socket.request(`the header of set ${name}`, ({ view, start, end }) => {
    eachAttribute(view, start + 4, end, (type, from) => {
      if (type === attributes.family) family = view.getUint8(from);
    });
  });
  return family;
}
