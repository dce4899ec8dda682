// Kernel sets, changed directly by netlink. An entry is in the kernel when add() returns (about 5 µs), which lets an
// answer follow its grant without waiting.

import type { SetSpec, SetType } from "../../../core/firewall/sets.ts";
import { DockerwallError } from "../../../errors.ts";
import {
  eachAttribute,
  NLA_F_NET_BYTEORDER,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readText,
  viewOf,
} from "../netlink/message.ts";
import { NETLINK_NETFILTER, NetlinkError, type NetlinkSocket, openNetlink } from "../netlink/socket.ts";
import { readEntry, readLine, writeEntry } from "./entry.ts";
import { isSetMissing, KernelSetError, reasonOf } from "./error.ts";
import {
  attributes,
  commands,
  FLAG_LIST_SETNAME,
  familyNumber,
  knownRevisions,
  type ListedEntry,
  type SetEntry,
  type SetKey,
  writeCommand,
  writeSpec,
} from "./message.ts";

const OLDEST_PROTOCOL = 6;
const NEWEST_PROTOCOL = 7;
/** Entries in one message; more gain nothing (measured: 0.57 µs per entry). */
const ENTRIES_PER_MESSAGE = 64;
/** Messages go out together until they reach this size. */
const BYTES_PER_SEND = 256 << 10;
const ACKNOWLEDGED = NLM_F_REQUEST | NLM_F_ACK;

/** Ends a reading that has enough. */
const enough = new Error("enough was read");

export interface KernelSets {
  /**
   * Makes a set; nothing happens when there is the same one already.
   * @throws KernelSetError "exists" for another one of that name.
   */
  create(spec: SetSpec): void;
  /**
   * Removes a set; one that is not there is no error.
   * @throws KernelSetError "in-use" while a rule or a list refers to it.
   */
  destroy(name: string): void;
  /**
   * Adds entries; they are in the kernel on return. An entry that is there already gets the new timeout and
   * comment (without them: the set's default and none) and keeps its counters.
   * @throws KernelSetError with the index of the first entry that was not taken.
   */
  add(name: string, entries: readonly SetEntry[]): void;
  /** Removes entries; one that is not there is no error. */
  del(name: string, keys: readonly SetKey[]): void;
  /** All entries, or the first ones until there are `atMost` (a message of the kernel's more): the rest is not read. */
  list(name: string, atMost?: number): ListedEntry[];
  /** The names of all sets in this network namespace. */
  names(): string[];
  close(): void;
}

/** Opens the sets of the calling thread's network namespace. @throws NO_PRIVILEGE, KERNEL_UNSUPPORTED, KERNEL_REFUSED */
export function openKernelSets(): KernelSets {
  const socket = openNetlink(NETLINK_NETFILTER, "kernel sets");
  const { writer } = socket;
  const revisions = new Map<string, number>();
  let protocol: number;
  try {
    protocol = negotiateProtocol(socket);
  } catch (error) {
    socket.close();
    throw error;
  }

  function command(number: number, what: string, name: string, rest?: () => void): void {
    writeCommand(writer.reset(), { command: number, flags: ACKNOWLEDGED, protocol, name });
    rest?.();
    try {
      socket.request(what);
    } catch (error) {
      throw explained(error, what, undefined);
    }
  }

  function change(number: number, verb: string, name: string, entries: readonly SetEntry[]): void {
    for (let from = 0; from < entries.length; ) {
      writer.reset();
      const sent = from;
      while (from < entries.length && writer.length < BYTES_PER_SEND) {
        const to = Math.min(entries.length, from + ENTRIES_PER_MESSAGE);
        writeCommand(writer, { command: number, flags: ACKNOWLEDGED, protocol, name });
        writer.u32be(attributes.line | NLA_F_NET_BYTEORDER, 0).nest(attributes.entries);
        // Line 0 means "no line" to the kernel.
        for (; from < to; from++) writeEntry(writer, entries[from] as SetEntry, from + 1);
        writer.end();
      }
      const what = `${verb} ${name}`;
      try {
        socket.request(what);
      } catch (error) {
        throw explained(error, what, entries, sent);
      }
    }
  }

  function revisionOf(spec: SetSpec): number {
    const family = familyNumber(spec);
    const key = `${spec.type} ${family}`;
    const revision = revisions.get(key) ?? askRevision(socket, protocol, spec.type, family);
    revisions.set(key, revision);
    return revision;
  }

  /** To the kernel, sets that differ in nothing but their family are the same (ip_set_create(), same_set()). */
  function familyInKernel(name: string): number | undefined {
    let family: number | undefined;
    writeCommand(writer.reset(), { command: commands.header, flags: ACKNOWLEDGED, protocol, name });
    socket.request(`the header of set ${name}`, ({ view, start, end }) => {
      eachAttribute(view, start + 4, end, (type, from) => {
        if (type === attributes.family) family = view.getUint8(from);
      });
    });
    return family;
  }

  function read(from: NetlinkSocket, name: string, atMost = Number.POSITIVE_INFINITY): ListedEntry[] {
    const entries: ListedEntry[] = [];
    const what = `to list set ${name}`;
    const flags = NLM_F_REQUEST | NLM_F_DUMP;
    writeCommand(from.writer.reset(), { command: commands.list, flags, protocol, name });
    try {
      from.request(what, ({ view, start, end }) => {
        if (entries.length >= atMost) throw enough;
        eachAttribute(view, start + 4, end, (type, first, last) => {
          if (type !== attributes.entries) return;
          eachAttribute(view, first, last, (_type, entryFrom, entryTo) => {
            const entry = readEntry(view, entryFrom, entryTo);
            if (entry !== undefined) entries.push(entry);
          });
        });
      });
    } catch (error) {
      if (error !== enough) throw explained(error, what, undefined);
    }
    return entries;
  }

  return {
    create(spec) {
      const revision = revisionOf(spec);
      const what = `to create ${spec.type} set ${spec.name}`;
      command(commands.create, what, spec.name, () => writeSpec(writer, spec, revision));
      const family = familyInKernel(spec.name);
      if (family !== familyNumber(spec)) {
        throw new KernelSetError(`${what}: there is one of that name of address family ${family}`, "exists");
      }
    },
    destroy(name) {
      try {
        command(commands.destroy, `to destroy set ${name}`, name);
      } catch (error) {
        if (!isSetMissing(error)) throw error; // Older kernels refuse it, newer ones pass over it.
      }
    },
    add: (name, entries) => change(commands.add, "to add to set", name, entries),
    del(name, keys) {
      change(
        commands.del,
        "to remove from set",
        name,
        keys.map((key) => ({ key })),
      );
    },
    list(name, atMost) {
      if (atMost === undefined) return read(socket, name);
      // What is not read stays in its socket.
      const own = openNetlink(NETLINK_NETFILTER, "a kernel set");
      try {
        return read(own, name, atMost);
      } finally {
        own.closeLater();
      }
    },
    names() {
      const names: string[] = [];
      writeCommand(writer.reset(), { command: commands.list, flags: NLM_F_REQUEST | NLM_F_DUMP, protocol });
      writer.u32be(attributes.flags | NLA_F_NET_BYTEORDER, FLAG_LIST_SETNAME);
      socket.request("to list the sets", ({ view, start, end }) => {
        eachAttribute(view, start + 4, end, (type, from, to) => {
          if (type === attributes.setName) names.push(readText(view, from, to));
        });
      });
      return names;
    },
    close: () => socket.close(),
  };
}

function negotiateProtocol(socket: NetlinkSocket): number {
  let newest = 0;
  let oldest = 0;
  writeCommand(socket.writer.reset(), {
    command: commands.protocol,
    flags: ACKNOWLEDGED,
    protocol: NEWEST_PROTOCOL,
  });
  socket.request("the protocol version of kernel sets", ({ view, start, end }) => {
    eachAttribute(view, start + 4, end, (type, from) => {
      if (type === attributes.protocol) newest = view.getUint8(from);
      if (type === attributes.revisionMin) oldest = view.getUint8(from);
    });
  });
  const protocol = Math.min(newest, NEWEST_PROTOCOL);
  if (protocol < OLDEST_PROTOCOL || protocol < oldest) {
    throw new DockerwallError(
      "KERNEL_UNSUPPORTED",
      `the kernel speaks ipset protocol ${oldest} to ${newest}, Dockerwall ${OLDEST_PROTOCOL} to ${NEWEST_PROTOCOL}`,
    );
  }
  return protocol;
}

function askRevision(socket: NetlinkSocket, protocol: number, type: SetType, family: number): number {
  let newest = 0;
  let oldest = 0;
  writeCommand(socket.writer.reset(), { command: commands.type, flags: ACKNOWLEDGED, protocol });
  socket.writer.text(attributes.typeName, type).u8(attributes.family, family);
  const what = `the set type ${type}`;
  try {
    socket.request(what, ({ view, start, end }) => {
      eachAttribute(view, start + 4, end, (attribute, from) => {
        if (attribute === attributes.revision) newest = view.getUint8(from);
        if (attribute === attributes.revisionMin) oldest = view.getUint8(from);
      });
    });
  } catch (error) {
    throw explained(error, what, undefined);
  }
  return Math.max(oldest, Math.min(newest, knownRevisions[type]));
}

/** The same failure in the words of sets, with the entry that caused it. */
function explained(
  error: unknown,
  what: string,
  entries: readonly SetEntry[] | undefined,
  sent = 0,
): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const { echo } = error;
  const line = entries === undefined ? undefined : readLine(viewOf(echo), 4, echo.length);
  const entryIndex =
    entries === undefined ? undefined : line ? line - 1 : sent + error.index * ENTRIES_PER_MESSAGE;
  const key = entryIndex === undefined ? undefined : entries?.[entryIndex]?.key;
  const reason = reasonOf(error.errno, key?.kind);
  const entry = key === undefined ? "" : ` (entry ${JSON.stringify(key)})`;
  return new KernelSetError(
    `the kernel refused ${what}: ${reason}, code ${error.errno}${entry}`,
    reason,
    error,
    entryIndex,
  );
}
