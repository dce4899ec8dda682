// Our listeners inside a sandbox, by UDP and TCP. A socket that the container destroys is reopened.

import type { Transport } from "../../../core/dns/wire/message.ts";
import { close } from "../../kernel/libc.ts";
import { ConnectionPool } from "../../listener/connection-pool.ts";
import { type Lasting, listenLasting } from "../../listener/lasting-listener.ts";
import { listenTcp } from "../../listener/tcp.ts";
import { type DnsHandler, type DnsListener, type ListenAt, listenUdp } from "../../listener/udp.ts";
import type { Sandbox } from "../sandbox.ts";
import { openDnsSocket } from "../sockets.ts";
import type { SandboxQuery } from "./query.ts";

export interface ListeningOptions {
  readonly onQuery: (sandbox: Sandbox, query: SandboxQuery) => void;
  /** A socket of it is at another port now, or for the first time: nothing leads there yet. When it throws, that is tried again. */
  readonly onMoved: (sandbox: Sandbox) => void;
  /** Which sandboxes have no listener, and why, is another answer now. */
  readonly onChange: () => void;
  /** Whether the sandbox is still there. */
  readonly isLive: (sandbox: Sandbox) => boolean;
  readonly onProblem: (problem: string) => void;
}

export interface Listening {
  /** Never rejects. */
  listen(sandbox: Sandbox): Promise<readonly Lasting[]>;
  forget(name: string): void;
  /** Why there is no listener, by the name of the sandbox. */
  lacking(): readonly (readonly [name: string, why: string])[];
}

/** TCP connections to all sandboxes together. */
const connectionsAtMost = 1_024;

/** Opens a listener at a socket of ours. */
type Open = (at: ListenAt, onLost: (problem: string) => void) => Promise<DnsListener>;

export function createListening(options: ListeningOptions): Listening {
  /** All clients of a sandbox are one, from whichever address of its loopback they come. */
  const pool = new ConnectionPool(connectionsAtMost);
  const lacking = new LackingListeners();

  function lasting(sandbox: Sandbox, transport: Transport, open: Open): Promise<Lasting> {
    return listenLasting({
      open: opener(sandbox, transport, open, options.onMoved),
      onOpen: () => {
        if (lacking.delete(sandbox.name, transport)) options.onChange();
      },
      onProblem: (problem) => {
        options.onProblem(`sandbox ${sandbox.name}: ${problem}`);
        if (!options.isLive(sandbox)) return;
        lacking.set(sandbox.name, transport, problem);
        options.onChange();
      },
    });
  }

  return {
    listen(sandbox) {
      const { onQuery } = options;
      const onProblem = (problem: string): void => options.onProblem(`sandbox ${sandbox.name}: ${problem}`);
      const owned = { pool, ownerOf: () => sandbox.name, onProblem };
      return Promise.all([
        lasting(sandbox, "udp", (at, onLost) =>
          listenUdp(at, handlerOf(sandbox, "udp", onQuery), { onProblem, onLost }),
        ),
        lasting(sandbox, "tcp", (at, onLost) =>
          listenTcp(at, handlerOf(sandbox, "tcp", onQuery), {}, { ...owned, onLost }),
        ),
      ]);
    },
    forget: (name) => lacking.forget(name),
    lacking: () => lacking.entries(),
  };
}

/** Why there is no listener in some sandboxes. */
class LackingListeners {
  /** By name of the sandbox. */
  readonly #why = { udp: new Map<string, string>(), tcp: new Map<string, string>() };

  set(name: string, transport: Transport, why: string): void {
    this.#why[transport].set(name, why);
  }

  /** @returns whether it was lacking */
  delete(name: string, transport: Transport): boolean {
    return this.#why[transport].delete(name);
  }

  forget(name: string): void {
    for (const each of Object.values(this.#why)) each.delete(name);
  }

  entries(): readonly (readonly [name: string, why: string])[] {
    return Object.values(this.#why).flatMap((each) => [...each]);
  }
}

/** Opens the first time at the socket that the sandbox was opened with, if any, and at a new one from then on. */
function opener(
  sandbox: Sandbox,
  transport: Transport,
  open: Open,
  onMoved: (sandbox: Sandbox) => void,
): (onLost: (problem: string) => void) => Promise<DnsListener> {
  const key = `${transport}Port` as const;
  let first = sandbox.sockets[transport];
  let isLed = true;

  /** Until it has succeeded nobody knows where the table leads, so the same port is no reason to leave it out. */
  function move(port: number): void {
    if (port === sandbox.ports[key] && isLed) return;
    isLed = false;
    sandbox.ports = { ...sandbox.ports, [key]: port };
    onMoved(sandbox);
    isLed = true;
  }

  return (onLost) => {
    const { fd, port } = first ?? openDnsSocket(sandbox.namespaceFd, transport, sandbox.ports[key]);
    first = undefined;
    try {
      move(port);
    } catch (error) {
      close(fd);
      throw error;
    }
    return open({ fd, family: 4 }, onLost);
  };
}

function handlerOf(sandbox: Sandbox, transport: Transport, onQuery: ListeningOptions["onQuery"]): DnsHandler {
  return (message, { isGone }, reply) =>
    onQuery(sandbox, {
      message,
      transport,
      sandbox: sandbox.name,
      arrivedAtMs: performance.now(),
      isGone,
      reply,
    });
}
