// UDP to one upstream server. The ports of its sockets are the kernel's random choice; and none lives long.

import type { Upstream } from "../../core/model/upstream.ts";
import * as libc from "../kernel/libc.ts";
import type { ServerMeans } from "./server-means.ts";
import { type UdpAsker, UdpChannel } from "./udp-channel.ts";

/** Opens no socket before the first query. */
export class UdpPool {
  readonly #upstream: Upstream;
  readonly #means: ServerMeans;
  readonly #channels = new Set<UdpChannel>();
  /** Takes new queries. */
  #current: UdpChannel | undefined;

  constructor(upstream: Upstream, means: ServerMeans) {
    this.#upstream = upstream;
    this.#means = means;
  }

  /** Sends a query (its id is overwritten). @returns where it can be given up; undefined where it has failed at once */
  ask(query: Uint8Array, asker: UdpAsker): UdpChannel | undefined {
    let channel: UdpChannel;
    try {
      channel = this.#usable();
    } catch (error) {
      if (!(error instanceof libc.SystemCallError)) throw error;
      // It could not even be connected (no route, no descriptors), so it has no peer to send to.
      asker.fail("failed");
      return undefined;
    }
    channel.ask(query, asker);
    return channel;
  }

  close(): void {
    for (const channel of this.#channels) channel.close("failed");
  }

  #usable(): UdpChannel {
    const { random, nowMs, told } = this.#means;
    const before = this.#current;
    if (before?.isFresh(nowMs()) === true) return before;
    const opened = new UdpChannel({
      upstream: this.#upstream,
      random,
      openedAtMs: nowMs(),
      told,
      onClose: (channel) => this.#channels.delete(channel),
    });
    this.#channels.add(opened);
    this.#current = opened;
    before?.retire();
    return opened;
  }
}
