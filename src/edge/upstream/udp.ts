// UDP to one upstream server. Sockets are connected, so the kernel drops packets from elsewhere; their ports are the
// kernel's random choice; and none lives long. The queries on one socket differ by random ids. A socket that receives
// wrong answers is under attack: it is closed, and its queries go by TCP.

import { declareCounter } from "../../core/counters/registry.ts";
import { noteTruncated } from "../../core/dns/wire/upstream-query.ts";
import { readWord, writeWord } from "../../core/dns/wire/words.ts";
import { addressBytes, familyOf } from "../../core/model/address.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { receiveBatch, SendQueue, watchSocket } from "../kernel/datagrams.ts";
import * as libc from "../kernel/libc.ts";
import { socketAddress } from "../kernel/socket-address.ts";
import type { RandomBits } from "./random.ts";

const strayMessages = declareCounter({
  name: "upstream_stray_messages",
  help: "Messages from upstream that answered no open question: late, repeated, or forged.",
  words: { one: "stray message from upstream", many: "stray messages from upstream" },
});

export interface UdpAsker {
  /** Takes a message with this query's id; false when it does not answer it. */
  readonly receive: (message: Uint8Array) => boolean;
  /** `attacked`: ask by TCP. `failed`: the server cannot be reached so. */
  readonly fail: (reason: "attacked" | "failed") => void;
}

export interface UdpPool {
  /** Sends a query (its id is overwritten) and returns how to give it up. */
  ask(query: Uint8Array, asker: UdpAsker): () => void;
  close(): void;
}

/** Queries that one socket serves in its life. */
const usesPerSocket = 64;
/** How long a socket takes new queries, ms. */
const socketLifeMs = 2_000;
/** Wrong answers that a socket bears. */
const maxStrikes = 32;

interface Channel {
  readonly fd: number;
  readonly sending: SendQueue;
  readonly close: () => void;
  readonly pending: Map<number, UdpAsker>;
  /** Ids of queries that were given up; one answer to each is late, not wrong. */
  readonly givenUp: Set<number>;
  readonly openedAtMs: number;
  uses: number;
  strikes: number;
}

/** Makes a pool for one server; no socket is opened before the first query. */
export function createUdpPool(upstream: Upstream, random: RandomBits, nowMs: () => number): UdpPool {
  const channels = new Set<Channel>();
  let current: Channel | undefined;

  const close = (channel: Channel, reason: "attacked" | "failed"): void => {
    if (!channels.delete(channel)) return;
    if (current === channel) current = undefined;
    channel.sending.close();
    channel.close();
    const left = [...channel.pending.values()];
    channel.pending.clear();
    for (const asker of left) asker.fail(reason);
  };
  const retire = (channel: Channel): void => {
    if (channel !== current && channel.pending.size === 0) close(channel, "failed");
  };
  const receive = (channel: Channel, message: Uint8Array): void => {
    const id = readWord(message, 0);
    const asker = channel.pending.get(id);
    if (asker?.receive(message) === true) {
      channel.pending.delete(id);
      retire(channel);
      return;
    }
    strayMessages.add();
    if (asker === undefined && channel.givenUp.delete(id)) return;
    channel.strikes++;
    if (channel.strikes >= maxStrikes) close(channel, "attacked");
  };
  const open = (): Channel => {
    const { address, port } = upstream;
    const what = `a socket for ${address}`;
    const fd = libc.socket(familyOf(address) === 4 ? libc.AF_INET : libc.AF_INET6, libc.SOCK_DGRAM, 0, what);
    try {
      libc.connect(fd, socketAddress(addressBytes(address), port), what);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    const channel: Channel = {
      fd,
      sending: new SendQueue(fd, () => close(channel, "failed")),
      // Who waits for an answer has a timer; a socket that nobody waits at must not keep a process from ending.
      close: watchSocket(fd, () => read(channel), false),
      pending: new Map(),
      givenUp: new Set(),
      openedAtMs: nowMs(),
      uses: 0,
      strikes: 0,
    };
    channels.add(channel);
    return channel;
  };
  /** Connected sockets hear of a closed port (ECONNREFUSED) and of a missing route. */
  const read = (channel: Channel): void => {
    try {
      receiveBatch(channel.fd, (message, _, isCut) => {
        if (isCut) noteTruncated(message);
        if (channels.has(channel)) receive(channel, message);
      });
    } catch (error) {
      if (!(error instanceof libc.SystemCallError)) throw error;
      close(channel, "failed");
    }
  };
  const usable = (): Channel => {
    const before = current;
    if (before !== undefined && before.uses < usesPerSocket && nowMs() - before.openedAtMs < socketLifeMs) {
      return before;
    }
    current = open();
    if (before !== undefined) retire(before);
    return current;
  };

  return {
    ask(query, asker) {
      let channel: Channel;
      try {
        channel = usable();
      } catch (error) {
        if (!(error instanceof libc.SystemCallError)) throw error;
        // It could not even be connected (no route, no descriptors), so it has no peer to send to.
        asker.fail("failed");
        return () => undefined;
      }
      let id = random.word();
      while (channel.pending.has(id) || channel.givenUp.has(id)) id = random.word();
      writeWord(query, 0, id);
      channel.uses++;
      channel.pending.set(id, asker);
      channel.sending.put(query);
      return () => {
        if (!channel.pending.delete(id)) return;
        channel.givenUp.add(id);
        retire(channel);
      };
    },
    close() {
      for (const channel of channels) close(channel, "failed");
    },
  };
}
