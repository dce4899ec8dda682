// The host's own listeners for lookups, by UDP and TCP.

import { contain } from "../core/contain.ts";
import { anyAddress } from "../core/model/address.ts";
import { every } from "../edge/host/every.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { switchOff, switchOn } from "../edge/kernel/ipset/switch-set.ts";
import { hasFamily } from "../edge/kernel/libc.ts";
import { ConnectionPool } from "../edge/listener/connection-pool.ts";
import { type HostListeners, listenOnHost } from "../edge/listener/host.ts";
import { listenTcp } from "../edge/listener/tcp.ts";
import type { DnsHandler } from "../edge/listener/udp.ts";
import { messageOf } from "../errors.ts";
import type { Answerer } from "./answerer.ts";

/** TCP connections of all networks together. */
const connectionsAtMost = 512;

/** For so long rules keep others from the port after the daemon was killed. */
const claimedSeconds = 30;
const claimEveryMs = 5_000;

export interface ListenersOptions {
  readonly port: number;
  readonly answerer: Answerer;
  readonly sets: KernelSets;
  readonly onProblem: (problem: string) => void;
}

/** Listens for every interface. @throws DockerwallError PORT_TAKEN */
export async function startListeners(options: ListenersOptions): Promise<HostListeners> {
  const { port, answerer, onProblem } = options;
  const families = ([4, 6] as const).filter(hasFamily);
  const listeners = await listenOnHost({
    port,
    families,
    handler: (message, client, reply) => answerer.fromHost(message, "udp", client, reply),
    onProblem,
  });
  const pool = new ConnectionPool(connectionsAtMost);
  const handler: DnsHandler = (message, client, reply) => answerer.fromHost(message, "tcp", client, reply);
  for (const family of families)
    await listenTcp({ address: anyAddress(family), port }, handler, {}, { pool, onProblem });
  claimPort(options);
  return listeners;
}

/** Has the rules keep from the port what was not redirected to it, for as long as it is ours. */
function claimPort({ sets, onProblem }: ListenersOptions): void {
  const onFailure = (error: unknown): void => onProblem(`the port of lookups: ${messageOf(error)}`);
  const work = (): void => switchOn(sets, "listens", claimedSeconds);
  contain(work, onFailure);
  every({ everyMs: claimEveryMs, work, onFailure });
  process.once("exit", () => contain(() => switchOff(sets, "listens"), onFailure));
}
