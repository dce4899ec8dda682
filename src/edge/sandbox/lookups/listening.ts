// Our listeners inside a sandbox, by UDP and TCP. A socket that the container destroys is reopened.

import type { Transport } from "../../../core/dns/wire/message.ts";
import { type Lasting, listenLasting } from "../../listener/lasting-listener.ts";
import { listenTcp } from "../../listener/tcp.ts";
import { type DnsClient, type DnsListener, type ListenAt, listenUdp } from "../../listener/udp.ts";
import { ConnectionPool } from "../../upstream/connection-pool.ts";
import type { Sandbox } from "../sandbox.ts";
import { reopenSandboxSocket } from "../sockets.ts";
import type { SandboxQuery } from "./questions.ts";

export interface ListeningOptions {
  readonly onQuery: (sandbox: Sandbox, query: SandboxQuery) => void;
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
  /** Why there is no listener in some, by name and transport. */
  const unheard = { udp: new Map<string, string>(), tcp: new Map<string, string>() };

  function handlerOf(sandbox: Sandbox, transport: Transport) {
    return (
      message: Uint8Array,
      { isGone }: DnsClient,
      reply: (answer: Uint8Array | undefined) => void,
    ): void =>
      options.onQuery(sandbox, {
        message,
        transport,
        sandbox: sandbox.name,
        arrivedAtMs: performance.now(),
        isGone,
        reply,
      });
  }

  /** The first time at the socket that the sandbox was opened with. */
  function lasting(sandbox: Sandbox, transport: Transport, open: Open): Promise<Lasting> {
    let fd: number | undefined = transport === "udp" ? sandbox.sockets.udpFd : sandbox.sockets.tcpFd;
    return listenLasting({
      open: (onLost) => {
        const at = {
          fd: fd ?? reopenSandboxSocket(sandbox.namespaceFd, transport, sandbox.sockets),
          family: 4,
        } as const;
        fd = undefined;
        return open(at, onLost);
      },
      onOpen: () => {
        if (unheard[transport].delete(sandbox.name)) options.onChange();
      },
      onProblem: (problem) => {
        options.onProblem(`sandbox ${sandbox.name}: ${problem}`);
        if (!options.isLive(sandbox)) return;
        unheard[transport].set(sandbox.name, problem);
        options.onChange();
      },
    });
  }

  return {
    listen(sandbox) {
      const onProblem = (problem: string): void => options.onProblem(`sandbox ${sandbox.name}: ${problem}`);
      const owned = { pool, ownerOf: () => sandbox.name, onProblem };
      return Promise.all([
        lasting(sandbox, "udp", (at, onLost) =>
          listenUdp(at, handlerOf(sandbox, "udp"), { onProblem, onLost }),
        ),
        lasting(sandbox, "tcp", (at, onLost) =>
          listenTcp(at, handlerOf(sandbox, "tcp"), {}, { ...owned, onLost }),
        ),
      ]);
    },
    forget(name) {
      for (const each of Object.values(unheard)) each.delete(name);
    },
    lacking: () => Object.values(unheard).flatMap((each) => [...each]),
  };
}
