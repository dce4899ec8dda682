// The host's own listeners for lookups, by UDP and TCP.

import { contain } from "../core/contain.ts";
import { usualDnsPort } from "../core/firewall/names.ts";
import { every } from "../edge/host/every.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { switchOff, switchOn } from "../edge/kernel/ipset/switch-set.ts";
import { hasFamily } from "../edge/kernel/libc.ts";
import { type HostListeners, listenOnHost, listenOnHostByTcp } from "../edge/listener/host.ts";
import { portsToTry } from "../edge/listener/ports.ts";
import { messageOf } from "../errors.ts";
import type { HostPort } from "../planes/messages.ts";
import type { Answerer } from "./answerer.ts";

/** For so long rules keep others from the port after the daemon was killed. */
const claimedSeconds = 30;
const claimEveryMs = 5_000;

export interface ListenersOptions {
  /** `auto`: the first that is free of several. */
  readonly port: number | "auto";
  /** Called once, when it listens. */
  readonly onListening: (place: HostPort) => void;
  readonly answerer: Answerer;
  readonly sets: KernelSets;
  readonly onProblem: (problem: string) => void;
}

/** Listens for every interface. @throws DockerwallError PORT_TAKEN, NO_PRIVILEGE */
export async function startListeners(options: ListenersOptions): Promise<HostListeners> {
  const [first = usualDnsPort, ...others] = portsToTry(options.port);
  try {
    return await listenAt(first, undefined, options);
  } catch (error) {
    for (const port of others) {
      const listeners = await listenAt(port, error, options).catch(() => undefined);
      if (listeners !== undefined) return listeners;
    }
    throw error;
  }
}

/** All of it, or nothing. @param refusal what kept us from the port before this one */
async function listenAt(
  port: number,
  refusal: unknown,
  { answerer, sets, onListening, onProblem }: ListenersOptions,
): Promise<HostListeners> {
  const families = ([4, 6] as const).filter(hasFamily);
  await using opened = new AsyncDisposableStack();
  const listeners = await listenOnHost({
    port,
    families,
    handler: (message, client, reply) => answerer.fromHost(message, "udp", client, reply),
    onProblem,
  });
  opened.defer(listeners.close);
  await listenOnHostByTcp({
    port,
    families,
    handler: (message, client, reply) => answerer.fromHost(message, "tcp", client, reply),
    onProblem,
  });
  opened.move();
  claimPort({ sets, onProblem });
  const problem =
    refusal === undefined
      ? undefined
      : `lookups are received at port ${port} instead of ${usualDnsPort}: ${messageOf(refusal)}`;
  onListening({ port, problem });
  return listeners;
}

/** Has the rules keep from the port what was not redirected to it, for as long as it is ours. */
function claimPort({ sets, onProblem }: Pick<ListenersOptions, "sets" | "onProblem">): void {
  const onFailure = (error: unknown): void => onProblem(`the port of lookups: ${messageOf(error)}`);
  const work = (): void => switchOn(sets, "listens", claimedSeconds);
  contain(work, onFailure);
  every({ everyMs: claimEveryMs, work, onFailure });
  process.once("exit", () => contain(() => switchOff(sets, "listens"), onFailure));
}
