// Where redirected lookups arrive on the host: one socket for every address, and one for each guarded bridge, so that
// whatever a network does to its socket harms no other network.

import { anyAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import { interfaceIndex } from "../kernel/libc.ts";
import { type DnsHandler, type DnsListener, listenUdp } from "./udp.ts";

export interface HostListenersOptions {
  readonly port: number;
  readonly handler: DnsHandler;
  readonly onProblem: (problem: string) => void;
}

export interface HostListeners {
  /** Listens at these bridges and no others; one that cannot be had is served by the socket for all. */
  follow(bridges: readonly string[]): void;
  close(): Promise<void>;
}

const families = [4, 6] as const;

/** Listens by UDP for every interface. @throws DockerwallError PORT_TAKEN */
export async function listenOnHost({
  port,
  handler,
  onProblem,
}: HostListenersOptions): Promise<HostListeners> {
  /** By bridge and its index: a bridge that was made anew is another one to a socket. */
  const byBridge = new Map<string, Promise<readonly DnsListener[]>>();
  const all: DnsListener[] = [];
  for (const family of families)
    all.push(await listenUdp({ address: anyAddress(family), port }, handler, { onProblem }));

  async function open(device: string): Promise<readonly DnsListener[]> {
    const opened: DnsListener[] = [];
    try {
      for (const family of families)
        opened.push(await listenUdp({ address: anyAddress(family), port, device }, handler, { onProblem }));
    } catch (error) {
      onProblem(`bridge ${device} has no socket of its own for lookups: ${messageOf(error)}`);
    }
    return opened;
  }

  async function close(listeners: Promise<readonly DnsListener[]>): Promise<void> {
    await Promise.all((await listeners).map((listener) => listener.close()));
  }

  return {
    follow(bridges) {
      const wanted = new Map<string, string>(
        bridges.flatMap((bridge) => {
          const index = interfaceIndex(bridge);
          return index === undefined ? [] : [[`${bridge} ${index}`, bridge] as const];
        }),
      );
      for (const [key, listeners] of byBridge) {
        if (wanted.has(key)) continue;
        byBridge.delete(key);
        void close(listeners);
      }
      for (const [key, bridge] of wanted) if (!byBridge.has(key)) byBridge.set(key, open(bridge));
    },
    async close() {
      await Promise.all([...byBridge.values()].map(close));
      await Promise.all(all.map((listener) => listener.close()));
    },
  };
}
