// DNS over TCP for clients (RFC 7766): many questions on one connection, answers in the order in which they are
// ready. Every resource that a client can hold is bounded: connections, questions under way, unread answers.

import { createServer, type Socket } from "node:net";
import { createFrameReader, renderFrame } from "../dns/framing.ts";
import { familyOf, type IpAddress } from "../model/address.ts";
import { ConnectionPool } from "./connection-pool.ts";
import {
  clientAddress,
  containHandler,
  type DnsClient,
  type DnsHandler,
  type DnsListener,
  type ListenAt,
  type ListenerEvents,
  listenError,
} from "./dns-listener.ts";
import { isListening } from "./libc.ts";
import { createTurns } from "./turns.ts";

export interface TcpLimits {
  /** How long a connection without questions and without progress stays open, ms. */
  readonly idleTimeoutMs: number;
  readonly connectionsPerClient: number;
  /** Questions under way on one connection; reading stops at this many. */
  readonly pendingPerConnection: number;
  /** Bytes of answers that the client has not taken; one more cuts the connection. */
  readonly unreadBytes: number;
}

const defaultLimits: TcpLimits = {
  idleTimeoutMs: 10_000,
  connectionsPerClient: 32,
  pendingPerConnection: 64,
  unreadBytes: 262_144,
};

/**
 * Questions of one client that are taken up in one turn of the event loop: as many as libuv reads of a UDP socket in
 * one. All clients are answered by one thread, and an answer out of the cache waits for nothing.
 */
const questionsPerTurn = 32;

/** Connections to one listener that shares its bound with no other. */
const connectionsAlone = 512;

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
  const limits = { ...defaultLimits, ...changed };
  const { pool = new ConnectionPool(connectionsAlone), ownerOf = String, onProblem, onLost } = sharing;
  const open = new Set<Socket>();
  const contained = containHandler(handler, onProblem);
  const turns = createTurns(questionsPerTurn);
  // Half-open: a client may close its side behind its last question and still wait for the answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const address = clientAddress(socket.remoteAddress ?? "");
    const port = socket.remotePort;
    const owner = address === undefined ? "" : ownerOf(address);
    const isFull = pool.countOf(owner) >= limits.connectionsPerClient;
    if (address === undefined || port === undefined || isFull || !pool.enter(owner, socket)) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      pool.leave(owner, socket);
    });
    const client = { address, port, isGone: () => socket.destroyed };
    serve(socket, { client, handler: contained, limits, inTurn: (work) => turns.enter(owner, work) });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, at, "tcp")));
    server.once("listening", () => {
      server.removeAllListeners("error");
      // Accepting fails when file descriptors run out; the connection waits in the backlog.
      server.on("error", () => undefined);
      resolve();
    });
    if ("fd" in at) server.listen({ fd: at.fd });
    else server.listen({ host: at.address, port: at.port, ipv6Only: familyOf(at.address) === 6 });
  });
  const bound = server.address();
  const looking =
    "fd" in at && onLost !== undefined ? setInterval(look, lookEveryMs, at.fd).unref() : undefined;

  function look(fd: number): void {
    if (isListening(fd, "a listener in a sandbox")) return;
    clearInterval(looking);
    server.close();
    onLost?.("the socket for lookups by TCP was destroyed");
  }
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: () =>
      new Promise((resolve) => {
        clearInterval(looking);
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

interface Service {
  readonly client: DnsClient;
  readonly handler: DnsHandler;
  readonly limits: TcpLimits;
  /** Has one piece of work done when its client's turn comes. */
  readonly inTurn: (work: () => void) => void;
}

function serve(socket: Socket, { client, handler, limits, inTurn }: Service): void {
  const frames = createFrameReader();
  /** Messages of the last piece that wait for a place; at most one piece's worth, as reading stops meanwhile. */
  const waiting: Uint8Array[] = [];
  let pending = 0;
  let ended = false;
  let unreadBefore = 0;
  // Every question ends within its deadline, which is shorter, so silence means that nothing is to come; answers
  // that lie unread must have become fewer.
  const idle = setTimeout(() => {
    if (socket.writableLength >= unreadBefore) socket.destroy();
    unreadBefore = socket.writableLength;
    idle.refresh();
  }, limits.idleTimeoutMs);
  const mayAsk = (): boolean =>
    pending < limits.pendingPerConnection && !socket.writableNeedDrain && !socket.destroyed;
  const proceed = (): void => {
    if (waiting.length > 0 && mayAsk()) inTurn(askNext);
    if (waiting.length > 0 || pending >= limits.pendingPerConnection || socket.writableNeedDrain)
      socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (ended && pending === 0 && waiting.length === 0) socket.end();
  };
  const askNext = (): void => {
    const message = mayAsk() ? waiting.shift() : undefined;
    if (message !== undefined) ask(message);
    proceed();
  };
  const ask = (message: Uint8Array): void => {
    pending++;
    handler(message, client, (answer) => {
      pending--;
      if (socket.destroyed) return;
      if (answer !== undefined) {
        idle.refresh();
        socket.write(renderFrame(answer));
        unreadBefore = socket.writableLength;
        if (socket.writableLength > limits.unreadBytes) socket.destroy();
      }
      proceed();
    });
  };
  socket.on("data", (piece) => {
    const messages = frames.push(piece);
    if (messages.length > 0) idle.refresh();
    waiting.push(...messages);
    proceed();
  });
  socket.on("drain", proceed);
  socket.on("end", () => {
    ended = true;
    proceed();
  });
  // A connection that breaks takes its questions with it; there is nobody to tell.
  socket.on("error", () => socket.destroy());
  socket.on("close", () => clearTimeout(idle));
}
