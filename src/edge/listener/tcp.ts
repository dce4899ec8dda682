// DNS over TCP for clients (RFC 7766): many questions on one connection, answers in the order in which they are ready.
// Every resource that a client can hold is bounded: connections, questions under way, unread answers.

import { createServer, type Socket } from "node:net";
import { contain, contained, type OnFailure } from "../../core/contain.ts";
import { createFrameReader, renderFrame } from "../../core/dns/wire/framing.ts";
import { familyOf, type IpAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import { isListening } from "../kernel/libc.ts";
import { ConnectionPool } from "../upstream/connection-pool.ts";
import type { Turns } from "./turns.ts";
import {
  clientAddress,
  containHandler,
  type DnsClient,
  type DnsHandler,
  type DnsListener,
  type ListenAt,
  type ListenerEvents,
  listenError,
} from "./udp.ts";

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
  const handlerContained = containHandler(handler, onProblem);
  const told = (error: unknown): void =>
    onProblem?.(`a connection for lookups was not served: ${messageOf(error)}`);

  function accept(socket: Socket): void {
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
    serve({ socket, client, handler: handlerContained, limits, turns: pool.turns, owner, told });
  }

  // Half-open: a client may close its side behind its last question and still wait for the answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    contain(
      () => accept(socket),
      (error) => {
        socket.destroy();
        told(error);
      },
    ),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, at, "tcp")));
    server.once("listening", () => {
      server.removeAllListeners("error");
      // Accepting fails when file descriptors run out; the connection waits in the backlog.
      server.on("error", told);
      resolve();
    });
    if ("fd" in at) server.listen({ fd: at.fd });
    else server.listen({ host: at.address, port: at.port, ipv6Only: familyOf(at.address) === 6 });
  });
  const bound = server.address();
  const looking =
    "fd" in at && onLost !== undefined
      ? setInterval(
          contained(() => look(at.fd), told),
          lookEveryMs,
        ).unref()
      : undefined;

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

interface Serving {
  readonly socket: Socket;
  readonly client: DnsClient;
  readonly handler: DnsHandler;
  readonly limits: TcpLimits;
  readonly turns: Turns;
  readonly owner: string;
  /** Told of what fails; the connection is closed then. */
  readonly told: OnFailure;
}

function serve({ socket, client, handler, limits, turns, owner, told }: Serving): void {
  const next = messagesOf(socket);
  /** The next message, while it has no place. */
  let waiting: Uint8Array | undefined;
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
  const hasRoom = (): boolean =>
    pending < limits.pendingPerConnection && !socket.writableNeedDrain && !socket.destroyed;
  const proceedNow = (): void => {
    waiting ??= next();
    while (waiting !== undefined && hasRoom()) {
      if (!turns.take(owner)) {
        turns.next(proceed);
        break;
      }
      ask(waiting);
      waiting = next();
    }
    if (waiting !== undefined || !hasRoom()) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (ended && pending === 0 && waiting === undefined) socket.end();
  };
  const proceed = contained(proceedNow, (error) => {
    socket.destroy();
    told(error);
  });
  const ask = (message: Uint8Array): void => {
    pending++;
    idle.refresh();
    handler(message, client, (answer) => {
      pending--;
      if (socket.destroyed) return;
      // Not from inside an answer that came at once: a long row of those must not grow the stack.
      turns.next(proceed);
      if (answer === undefined) return;
      idle.refresh();
      socket.write(renderFrame(answer));
      unreadBefore = socket.writableLength;
      if (socket.writableLength > limits.unreadBytes) socket.destroy();
    });
  };
  socket.on("data", proceed);
  socket.on("drain", proceed);
  socket.on("end", () => {
    ended = true;
    proceed();
  });
  // A connection that breaks takes its questions with it; there is nobody to tell.
  socket.on("error", () => socket.destroy());
  socket.on("close", () => clearTimeout(idle));
}

/**
 * The messages that have arrived, one at a call. What waits is kept as it came, at most one piece as reading stops
 * meanwhile: cut into messages it would take a hundred times its size.
 */
function messagesOf(socket: Socket): () => Uint8Array | undefined {
  const frames = createFrameReader();
  const pieces: Uint8Array[] = [];
  let current: IterableIterator<Uint8Array> | undefined;
  socket.on("data", (piece) => pieces.push(piece));
  return () => {
    for (;;) {
      const message = current?.next();
      if (message?.done === false) return message.value;
      const piece = pieces.shift();
      current = piece && frames.each(piece);
      if (current === undefined) return undefined;
    }
  };
}
