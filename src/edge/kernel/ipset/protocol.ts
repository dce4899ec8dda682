// What this kernel speaks about sets: the version of the protocol, and the revision of each type of set.

import type { SetSpec, SetType } from "../../../core/firewall/sets.ts";
import { DockerwallError } from "../../../errors.ts";
import { eachAttribute } from "../netlink/message.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { ACKNOWLEDGED, attributes, commands, familyNumber, knownRevisions, writeCommand } from "./message.ts";
import { explained } from "./refusal.ts";

const OLDEST_PROTOCOL = 6;
const NEWEST_PROTOCOL = 7;

/** A socket for sets, and the protocol that is spoken on it. */
export interface SetSocket {
  readonly socket: NetlinkSocket;
  readonly protocol: number;
}

/** The newest version that both know. @throws DockerwallError KERNEL_UNSUPPORTED when there is none */
export function negotiateProtocol(socket: NetlinkSocket): number {
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

/** The revision in which sets of each type are made, asked for once. */
export class SetRevisions {
  readonly #kernel: SetSocket;
  readonly #revisions = new Map<string, number>();

  constructor(kernel: SetSocket) {
    this.#kernel = kernel;
  }

  of(spec: SetSpec): number {
    const family = familyNumber(spec);
    const key = `${spec.type} ${family}`;
    const revision = this.#revisions.get(key) ?? askRevision(this.#kernel, spec.type, family);
    this.#revisions.set(key, revision);
    return revision;
  }
}

function askRevision({ socket, protocol }: SetSocket, type: SetType, family: number): number {
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
    throw explained(error, what);
  }
  return Math.max(oldest, Math.min(newest, knownRevisions[type]));
}
