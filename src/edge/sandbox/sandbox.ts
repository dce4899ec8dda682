// One network sandbox of the engine: its namespace, our sockets and tables in it, and what we know about it.

import { closeSync } from "node:fs";
import type { SandboxInterface } from "../../core/askers/foreign-interfaces.ts";
import type { Standing } from "../../core/askers/standing.ts";
import type { OnFailure } from "../../core/contain.ts";
import type { Transport } from "../../core/dns/wire/message.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { withNamespace } from "../kernel/netns.ts";
import type { Lasting } from "../listener/lasting-listener.ts";
import { createPace, type Pace } from "../listener/pace.ts";
import { type SandboxAddresses, unreadAddresses } from "./addresses.ts";
import { OwnChecksums } from "./ports/own-checksums.ts";
import { type DnsSocket, isPortTaken, openAddressSocket, openDnsSocket } from "./sockets.ts";
import type { SandboxPorts } from "./tables/capture.ts";
import { cutInside, isCutInside } from "./tables/cut.ts";
import type { Interfaces } from "./tables/interfaces.ts";
import { openTableOwner, type TableOwner } from "./tables/own-tables.ts";

/** A container with NET_ADMIN changes its addresses without end; an engine gives it a few, one after the other. */
const reading = { burst: 24, everyMs: 50, mostMs: 1_000, calmMs: 2_000 } as const;

export interface Sandbox {
  readonly name: string;
  readonly namespaceFd: number;
  /** Readable when its addresses or interfaces may have changed. */
  readonly addressFd: number;
  /** As they were first opened, until they are listened at; undefined where every port was taken. */
  readonly sockets: Readonly<Record<Transport, DnsSocket | undefined>>;
  /** Where our sockets are now. */
  ports: SandboxPorts;
  readonly owner: TableOwner;
  readonly checksums: OwnChecksums;
  /** False for one that was there before us: its container may have open flows to Docker's resolver. */
  readonly fresh: boolean;
  /** As they were last read. */
  found: SandboxAddresses;
  addresses: readonly IpAddress[];
  readonly pace: Pace;
  readTimer: NodeJS.Timeout | undefined;
  /** Indexes of the interfaces that packets may leave by while it is captured. */
  interfaces: Interfaces;
  /** The same as the kernel has it; undefined while that is as an earlier run has left it, or nothing is held. */
  held: Interfaces | undefined;
  /** By which nothing leaves; undefined while that is as an earlier run has left it. */
  closed: readonly SandboxInterface[] | undefined;
  /** Never rejects. */
  listening: Promise<readonly Lasting[]>;
  unwatch: () => void;
  releaseTimer: NodeJS.Timeout | undefined;
  standing: Standing;
  /** Those of its guarded networks, as they were last pinned. */
  gateways: readonly IpAddress[];
  captured: boolean;
  /** True when it was captured when we came: by a run that has decided that it is to be. */
  inherited: boolean;
  /** True once it is known that something in it asked the engine's resolver before it was captured. */
  askedPast: boolean;
}

/** Does what may fail for one sandbox: a failure is reported with its name, and goes no further. */
export type ContainFor = (name: string, work: () => void) => void;

/** What reports a failure with the name of the sandbox that it was about. */
export type TellOf = (name: string) => OnFailure;

/**
 * Opens all that a sandbox needs, or nothing.
 * @param namespaceFd the sandbox's to close from now on, and still the caller's where it cannot be opened
 * @param fresh whether it was made while we looked
 */
export function openSandbox(name: string, namespaceFd: number, fresh: boolean): Sandbox {
  const opened: (() => void)[] = [];
  try {
    const addressFd = openAddressSocket(namespaceFd);
    opened.push(() => closeSync(addressFd));
    const owner = withNamespace(namespaceFd, openTableOwner);
    opened.push(() => owner.closeLater());
    const sockets = {
      udp: firstSocket(namespaceFd, "udp", opened),
      tcp: firstSocket(namespaceFd, "tcp", opened),
    };
    return {
      name,
      namespaceFd,
      addressFd,
      sockets,
      ports: { udpPort: sockets.udp?.port, tcpPort: sockets.tcp?.port },
      owner,
      checksums: new OwnChecksums(namespaceFd),
      fresh,
      found: unreadAddresses,
      addresses: [],
      pace: createPace(reading),
      readTimer: undefined,
      interfaces: [],
      held: undefined,
      closed: undefined,
      listening: Promise.resolve([]),
      unwatch: () => undefined,
      releaseTimer: undefined,
      standing: { kind: "unknown" },
      gateways: [],
      captured: false,
      inherited: false,
      // What asked in one that was there before us may be long forgotten.
      askedPast: !fresh,
    };
  } catch (error) {
    for (const undo of opened) undo();
    throw error;
  }
}

/** Without one nobody is answered, and it is tried again; all else of the sandbox must not wait for that. */
function firstSocket(
  namespaceFd: number,
  transport: Transport,
  opened: (() => void)[],
): DnsSocket | undefined {
  try {
    const socket = openDnsSocket(namespaceFd, transport);
    opened.push(() => closeSync(socket.fd));
    return socket;
  } catch (error) {
    if (isPortTaken(error)) return undefined;
    throw error;
  }
}

/** Closes what is open of a sandbox, once nothing listens in it. What fails of it is thrown when all else is closed. */
export async function closeSandbox(sandbox: Sandbox): Promise<void> {
  clearTimeout(sandbox.releaseTimer);
  clearTimeout(sandbox.readTimer);
  // The last one first.
  await using closing = new AsyncDisposableStack();
  closing.defer(() => closeSync(sandbox.namespaceFd));
  closing.defer(() => sandbox.owner.closeLater());
  closing.defer(() => closeSync(sandbox.addressFd));
  closing.defer(() => closeAll(sandbox.listening));
  sandbox.unwatch();
}

async function closeAll(listening: Sandbox["listening"]): Promise<void> {
  const closed = await Promise.allSettled((await listening).map((listener) => listener.close()));
  for (const each of closed) if (each.status === "rejected") throw each.reason;
}

/** Cuts a sandbox off inside of it, or no longer. */
export function cutSandbox({ namespaceFd, owner }: Sandbox, cut: boolean): void {
  withNamespace(namespaceFd, () => {
    if (isCutInside(owner) !== cut) cutInside(cut, owner);
  });
}

/** Whether it is, read from the kernel. */
export function isSandboxCut({ namespaceFd, owner }: Sandbox): boolean {
  return withNamespace(namespaceFd, () => isCutInside(owner));
}
