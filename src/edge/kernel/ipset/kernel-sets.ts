// Kernel sets, changed directly by netlink. An entry is in the kernel when add() returns (about 5 µs), which lets an
// answer follow its grant without waiting.

import type { SetSpec } from "../../../core/firewall/sets.ts";
import { NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";
import { changeEntries, giveCommand, type SetEntries } from "./changes.ts";
import { writeEntry } from "./entry.ts";
import { isSetMissing, KernelSetError } from "./error.ts";
import { listEntries, listNames, readFamily } from "./listing.ts";
import {
  commands,
  familyNumber,
  type ListedEntry,
  type SetEntry,
  type SetKey,
  writeSpec,
} from "./message.ts";
import { Portions } from "./portions.ts";
import { negotiateProtocol, SetRevisions, type SetSocket } from "./protocol.ts";

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
  /**
   * The same for several sets in one request. When it throws, entries of other sets may be in, those after the refused
   * one's set, too.
   */
  addAll(sets: readonly SetEntries[]): void;
  /** Removes entries; one that is not there is no error. */
  del(name: string, keys: readonly SetKey[]): void;
  /** Whether an entry is in a set now. @throws KernelSetError "missing" when there is no such set */
  has(name: string, key: SetKey): boolean;
  /** All entries, or the first ones until there are `atMost` (a message of the kernel's more): the rest is not read. */
  list(name: string, atMost?: number): ListedEntry[];
  /**
   * All entries, by portions of some hundred with a turn of the event loop after each. What is in the set all the time is
   * among them exactly once; what comes or goes meanwhile may be or not.
   * @throws KernelSetError "missing" when there is no such set, or it is destroyed meanwhile
   */
  portions(name: string): AsyncIterable<readonly ListedEntry[]>;
  /** The names of all sets in this network namespace. */
  names(): string[];
  /** Ends what is being read, too: nobody could destroy the set of it meanwhile. */
  close(): void;
}

/** Opens the sets of the calling thread's network namespace. @throws NO_PRIVILEGE, KERNEL_UNSUPPORTED, KERNEL_REFUSED */
export function openKernelSets(): KernelSets {
  const kernel = openSetSocket();
  const revisions = new SetRevisions(kernel);
  const portions = new Portions(kernel);
  return {
    create: (spec) => create(kernel, spec, revisions.of(spec)),
    destroy(name) {
      portions.end(name);
      destroy(kernel, name);
    },
    add: (name, entries) => changeEntries(kernel, "add", [{ name, entries }]),
    addAll: (sets) => changeEntries(kernel, "add", sets),
    del: (name, keys) => changeEntries(kernel, "del", [{ name, entries: keys.map((key) => ({ key })) }]),
    has: (name, key) => hasEntry(kernel, name, key),
    list: (name, atMost) =>
      atMost === undefined ? listEntries(kernel, name) : listFirst(kernel, name, atMost),
    portions: (name) => portions.of(name),
    names: () => listNames(kernel),
    close() {
      portions.close();
      kernel.socket.close();
    },
  };
}

function openSetSocket(): SetSocket {
  const socket = openNetlink(NETLINK_NETFILTER, "kernel sets");
  try {
    return { socket, protocol: negotiateProtocol(socket) };
  } catch (error) {
    socket.close();
    throw error;
  }
}

function create(kernel: SetSocket, spec: SetSpec, revision: number): void {
  const { name, type } = spec;
  const what = `to create ${type} set ${name}`;
  giveCommand(kernel, { command: commands.create, name, what }, (writer) =>
    writeSpec(writer, spec, revision),
  );
  // To the kernel, sets that differ in nothing but their family are the same (ip_set_create(), same_set()).
  const family = readFamily(kernel, name);
  if (family === familyNumber(spec)) return;
  throw new KernelSetError(`${what}: there is one of that name of address family ${family}`, "exists");
}

function destroy(kernel: SetSocket, name: string): void {
  try {
    giveCommand(kernel, { command: commands.destroy, name, what: `to destroy set ${name}` });
  } catch (error) {
    if (!isSetMissing(error)) throw error; // Older kernels refuse it, newer ones pass over it.
  }
}

/** To the kernel, what is not in a set "exists" no less than what is there already (ip_set_utest()). */
function hasEntry(kernel: SetSocket, name: string, key: SetKey): boolean {
  const what = `to test an entry of set ${name}`;
  try {
    giveCommand(kernel, { command: commands.test, name, what }, (writer) => writeEntry(writer, { key }, 1));
    return true;
  } catch (error) {
    if (error instanceof KernelSetError && error.reason === "exists") return false;
    throw error;
  }
}

/** By a socket of its own: what is not read stays in it. */
function listFirst({ protocol }: SetSocket, name: string, atMost: number): ListedEntry[] {
  const socket = openNetlink(NETLINK_NETFILTER, "a kernel set");
  try {
    return listEntries({ socket, protocol }, name, atMost);
  } finally {
    socket.closeLater();
  }
}
