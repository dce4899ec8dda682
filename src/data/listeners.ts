// The host's own listeners for lookups, by UDP and TCP.

import { anyAddress } from "../core/model/address.ts";
import { type HostListeners, listenOnHost } from "../edge/listener/host.ts";
import { listenTcp } from "../edge/listener/tcp.ts";
import type { DnsHandler } from "../edge/listener/udp.ts";
import { ConnectionPool } from "../edge/upstream/connection-pool.ts";
import type { Answerer } from "./answerer.ts";

/** TCP connections of all networks together. */
const connectionsAtMost = 512;

/** Listens for every interface. @throws DockerwallError PORT_TAKEN */
export async function startListeners(
  port: number,
  answerer: Answerer,
  onProblem: (problem: string) => void,
): Promise<HostListeners> {
  const listeners = await listenOnHost({
    port,
    handler: (message, client, reply) => answerer.fromHost(message, "udp", client, reply),
    onProblem,
  });
  const pool = new ConnectionPool(connectionsAtMost);
  const handler: DnsHandler = (message, client, reply) => answerer.fromHost(message, "tcp", client, reply);
  for (const family of [4, 6] as const)
    await listenTcp({ address: anyAddress(family), port }, handler, {}, { pool, onProblem });
  return listeners;
}
