// Where redirected lookups arrive on the host. By UDP, one socket for every address, and one for each guarded bridge, so
// that whatever a network does to its socket harms no other network; by TCP, one for all. One that is destroyed is opened
// again.

import { contain } from "../../core/contain.ts";
import { anyAddress, type Family } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import { interfaceIndex } from "../kernel/libc.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { type Lasting, listenLasting } from "./lasting-listener.ts";
import { listenTcp } from "./tcp.ts";
import { type DnsHandler, listenUdp } from "./udp.ts";

/** TCP connections of all networks together. */
const connectionsAtMost = 512;

export interface HostListenersOptions {
  readonly port: number;
  readonly handler: DnsHandler;
  readonly onProblem: (problem: string) => void;
  /** Those that the kernel has. */
  readonly families: readonly Family[];
}

export interface HostListeners {
  /** Listens at these bridges and no others; one that cannot be had is served by the socket for all. */
  follow(bridges: readonly string[]): void;
  close(): Promise<void>;
}

/** Listens by UDP for every interface. @throws DockerwallError PORT_TAKEN */
export async function listenOnHost(options: HostListenersOptions): Promise<HostListeners> {
  /** By bridge and its index: a bridge that was made anew is another one to a socket. */
  const byBridge = new Map<string, Promise<readonly Lasting[]>>();
  const all: Lasting[] = [];
  const tell = (error: unknown): void => options.onProblem(messageOf(error));
  await using opened = new AsyncDisposableStack();
  for (const family of options.families) {
    const listener = await listenForAll(family, options);
    opened.defer(listener.close);
    all.push(listener);
  }
  opened.move();

  async function close(listeners: Promise<readonly Lasting[]>): Promise<void> {
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
        contain(() => close(listeners), tell);
      }
      for (const [key, bridge] of wanted)
        if (!byBridge.has(key)) byBridge.set(key, listenForBridge(bridge, options));
    },
    async close() {
      await Promise.all([...byBridge.values()].map(close));
      await Promise.all(all.map((listener) => listener.close()));
    },
  };
}

/** Listens by TCP for every interface. @throws DockerwallError PORT_TAKEN */
export async function listenOnHostByTcp(options: HostListenersOptions): Promise<Lasting> {
  const { port, handler, onProblem, families } = options;
  const pool = new ConnectionPool(connectionsAtMost);
  await using opened = new AsyncDisposableStack();
  for (const family of families) {
    const at = { address: anyAddress(family), port };
    const listener = await listenLasting({
      open: (onLost) => listenTcp(at, handler, {}, { pool, onProblem, onLost }),
      onOpen: () => undefined,
      onProblem,
      mustStand: true,
    });
    opened.defer(listener.close);
  }
  const standing = opened.move();
  return { close: () => standing.disposeAsync() };
}

function listenForAll(family: Family, { port, handler, onProblem }: HostListenersOptions): Promise<Lasting> {
  let joins = false;
  return listenLasting({
    open: (onLost) => listenUdp({ address: anyAddress(family), port, joins }, handler, { onProblem, onLost }),
    onOpen: () => {
      joins = true;
    },
    onProblem,
    mustStand: true,
  });
}

/** Never rejects: until it stands, the socket for all serves the bridge. */
function listenForBridge(
  device: string,
  { port, handler, onProblem, families }: HostListenersOptions,
): Promise<readonly Lasting[]> {
  return Promise.all(
    families.map((family) =>
      listenLasting({
        open: (onLost) =>
          listenUdp({ address: anyAddress(family), port, device }, handler, { onProblem, onLost }),
        onOpen: () => undefined,
        onProblem: (problem) => onProblem(`bridge ${device}: ${problem}`),
      }),
    ),
  );
}
