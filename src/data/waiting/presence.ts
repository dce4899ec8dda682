// Which sandboxes exist, since when, and which of them have an address: we see this ourselves, before the engine tells.
// So we know from when on a reading of the engine counts for a container.

import type { Presence } from "../../core/askers/knowledge.ts";
import type { IpAddress } from "../../core/model/address.ts";

export interface PresenceBook extends Presence {
  /** To be called with every sandbox before anything is decided about it. True for one that was not there. */
  appeared(sandbox: string): boolean;
  gone(sandbox: string): void;
  /** The address is this sandbox's. */
  holds(sandbox: string, address: IpAddress): void;
  lost(sandbox: string, address: IpAddress): void;
}

/**
 * How long the sender at an address counts as the same: without a sandbox that we know, it may be another at any time,
 * but must not be new with each of its packets, or no reading would ever be late enough.
 */
const strangerForMs = 10_000;
/** Such addresses that are remembered; a forgotten one is met anew. */
const maxStrangers = 4_096;

/**
 * @param addressesOf what a sandbox has now; undefined when there is none of that name
 * @param onStranger called when an address is met of which no sandbox is known
 */
export function createPresence(
  addressesOf: (sandbox: string) => readonly IpAddress[] | undefined,
  nowMs: () => number,
  onStranger: () => void,
): PresenceBook {
  const since = new Map<string, number>();
  const holders = new Map<IpAddress, string>();
  const strangers = new Map<IpAddress, number>();
  return {
    appeared(sandbox) {
      if (since.has(sandbox)) return false;
      since.set(sandbox, nowMs());
      return true;
    },
    gone(sandbox) {
      since.delete(sandbox);
      for (const [address, holder] of holders) if (holder === sandbox) holders.delete(address);
    },
    holds: (sandbox, address) => void holders.set(address, sandbox),
    lost(sandbox, address) {
      if (holders.get(address) === sandbox) holders.delete(address);
    },
    sinceMs: (sandbox) => since.get(sandbox),
    isInUse: (sandbox) => (addressesOf(sandbox) ?? []).length > 0,
    addressesOf: (sandbox) => addressesOf(sandbox) ?? [],
    metAtMs(address) {
      const metAtMs = strangers.get(address);
      if (metAtMs !== undefined && nowMs() - metAtMs < strangerForMs) return metAtMs;
      strangers.delete(address);
      const [oldest] = strangers.keys();
      if (oldest !== undefined && strangers.size >= maxStrangers) strangers.delete(oldest);
      strangers.set(address, nowMs());
      onStranger();
      return strangers.get(address) ?? nowMs();
    },
    holderOf: (address) => holders.get(address),
    nowMs,
  };
}
