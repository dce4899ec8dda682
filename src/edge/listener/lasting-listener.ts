// A listener in a place that others control too: a container with NET_ADMIN can destroy the sockets in its own namespace
// (ss -K), and root those of the host. A destroyed socket is reopened, at growing intervals, so that endless destruction
// costs us next to nothing.

import { contain, contained, type OnFailure } from "../../core/contain.ts";
import { messageOf } from "../../errors.ts";
import type { DnsListener } from "./udp.ts";

/** Doubled with each loss that follows soon. */
const firstDelayMs = 50;
const longestDelayMs = 30_000;
/** One that has stood for so long was no victim of a row of losses. */
const calmAfterMs = 60_000;

export interface LastingOptions {
  /** Opens it; `onLost` is called at most once, when its socket was destroyed. */
  readonly open: (onLost: (problem: string) => void) => Promise<DnsListener>;
  /** It stands, for the first time or again. */
  readonly onOpen: () => void;
  /** It does not, and why; it is tried again. */
  readonly onProblem: (problem: string) => void;
  /** True where it must stand at first: what keeps it from that is thrown, and not tried again. */
  readonly mustStand?: boolean;
}

export type Lasting = Pick<DnsListener, "close">;

/** Resolves when it was tried once; what cannot be opened is tried again, unless it must stand. */
export async function listenLasting(options: LastingOptions): Promise<Lasting> {
  const { open, onProblem, onOpen, mustStand = false } = options;
  let delayMs = firstDelayMs;
  let openedAtMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let listener: DnsListener | undefined;
  const tell: OnFailure = (error) => onProblem(messageOf(error));
  await (mustStand ? openOnce() : reopen());

  function lost(problem: string): void {
    if (closed) return;
    if (performance.now() - openedAtMs > calmAfterMs) delayMs = firstDelayMs;
    // Before anything that may fail.
    again();
    contain(() => listener?.close(), tell);
    onProblem(problem);
  }

  function again(): void {
    timer = setTimeout(contained(reopen, tell), delayMs);
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }

  async function openOnce(): Promise<void> {
    const opened = await open(lost);
    if (closed) await opened.close();
    listener = opened;
    openedAtMs = performance.now();
    onOpen();
  }

  async function reopen(): Promise<void> {
    try {
      await openOnce();
    } catch (error) {
      if (closed) return;
      again();
      tell(error);
    }
  }

  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await listener?.close();
    },
  };
}
