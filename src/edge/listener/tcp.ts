// DNS over TCP for clients (RFC 7766): many questions on one connection, answers in the order in which they are ready.
// Every resource that a client can hold is bounded: connections, questions under way, unread answers.

import { createServer, type Server, type Socket } from "node:net";
import { contain, contained, type OnFailure } from "../../core/contain.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import { isListening } from "../kernel/libc.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { openHostTcp } from "./host-tcp.ts";
import { type Serving, serveConnection, type TcpLimits } from "./tcp-connection.ts";
import {
  clientAddress,
  containHandler,
  type DnsHandler,
  type DnsListener,
  type ListenAt,
  type ListenerEvents,
  listenError,
  openAt,
} from "./udp.ts";

const defaultLimits: TcpLimits = {
  idleTimeoutMs: 10_000,
  connectionsPerClient: 32,
  pendingPerConnection: 64,
  unreadBytes: 262_144,
};

/** Connections to one listener that shares its bound with no other. */
const connectionsAlone = 512;

/** Connections that may wait until we accept them; the host may allow fewer (net.core.somaxconn). */
const backlog = 4_096;

export interface TcpSharing extends ListenerEvents {
  /** Bounds the connections of all listeners that share it. */
  readonly pool?: ConnectionPool;
  /** Whose a connection is, by the address that it comes from. */
  readonly ownerOf?: (address: IpAddress) => string;
}

/**
 * How often a socket that others can destroy is looked at. Node says nothing when it is gone: its loop finds the socket
 * ready and accept(2) refusing (EINVAL), again and again.
 */
const lookEveryMs = 500;

/** Listens by TCP. @throws DockerwallError PORT_TAKEN */
export async function listenTcp(
  at: ListenAt,
  handler: DnsHandler,
  changed: Partial<TcpLimits> = {},
  sharing: TcpSharing = {},
): Promise<DnsListener> {
  const { onProblem, onLost } = sharing;
  const told = (error: unknown): void =>
    onProblem?.(`a connection for lookups was not served: ${messageOf(error)}`);
  const clients = new TcpClients({
    handler: containHandler(handler, onProblem),
    limits: { ...defaultLimits, ...changed },
    pool: sharing.pool ?? new ConnectionPool(connectionsAlone),
    ownerOf: sharing.ownerOf ?? String,
    told,
  });
  // Half-open: a client may close its side behind its last question and still wait for the answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    contain(
      () => clients.accept(socket),
      (error) => {
        socket.destroy();
        told(error);
      },
    ),
  );
  const fd = "fd" in at ? at.fd : openAt(at, "tcp", () => openHostTcp(at, backlog));
  await listen(server, fd, at, told);
  const bound = server.address();
  const unwatch =
    onLost !== undefined
      ? watchSocket(fd, told, () => {
          server.close();
          onLost("the socket for lookups by TCP was destroyed");
        })
      : undefined;
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: () =>
      new Promise((resolve) => {
        unwatch?.();
        server.close(() => resolve());
        clients.close();
      }),
  };
}

interface TcpClientsOptions extends Pick<Serving, "handler" | "limits" | "told"> {
  readonly pool: ConnectionPool;
  readonly ownerOf: (address: IpAddress) => string;
}

/** The connections of one listener. */
class TcpClients {
  readonly #options: TcpClientsOptions;
  readonly #open = new Set<Socket>();

  constructor(options: TcpClientsOptions) {
    this.#options = options;
  }

  /** Serves a connection, or closes it where there is no room for it. */
  accept(socket: Socket): void {
    const { pool, ownerOf, handler, limits, told } = this.#options;
    const address = clientAddress(socket.remoteAddress ?? "");
    const port = socket.remotePort;
    const owner = address === undefined ? "" : ownerOf(address);
    const isFull = pool.countOf(owner) >= limits.connectionsPerClient;
    if (address === undefined || port === undefined || isFull || !pool.enter(owner, socket)) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      pool.leave(owner, socket);
    });
    const client = { address, port, isGone: () => socket.destroyed };
    serveConnection({ socket, client, handler, limits, turns: pool.turns, owner, told });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

function listen(server: Server, fd: number, at: ListenAt, told: OnFailure): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, at, "tcp")));
    server.once("listening", () => {
      server.removeAllListeners("error");
      // Accepting fails when file descriptors run out; the connection waits in the backlog.
      server.on("error", told);
      resolve();
    });
    if ("fd" in at) server.listen({ fd });
    else server.listen({ fd }, backlog);
  });
}

/** Looks whether a socket still listens, until it does not. @returns how to stop looking */
function watchSocket(fd: number, told: OnFailure, onGone: () => void): () => void {
  const look = (): void => {
    if (isListening(fd, "a listener for lookups by TCP")) return;
    clearInterval(looking);
    onGone();
  };
  const looking = setInterval(contained(look, told), lookEveryMs).unref();
  return () => clearInterval(looking);
}
