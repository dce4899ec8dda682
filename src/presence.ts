// Which sandboxes there are, since when, and which of them has an address: seen by ourselves, before the engine tells.

import type { Presence } from "./dns/knowledge.ts";
import type { IpAddress } from "./model/address.ts";

export interface PresenceBook extends Presence {
  /** To be called with every sandbox before anything is decided about it. True for one that was not there. */
  appeared(sandbox: string): boolean;
  gone(sandbox: string): void;
  /** The address is this sandbox's. */
  holds(sandbox: string, address: IpAddress): void;
  lost(sandbox: string, address: IpAddress): void;
}

/** @param addressesOf what a sandbox has now; undefined when there is none of that name */
export function createPresence(
  addressesOf: (sandbox: string) => readonly IpAddress[] | undefined,
  nowMs: () => number,
): PresenceBook {
  const since = new Map<string, number>();
  const holders = new Map<IpAddress, string>();
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
    holderOf: (address) => holders.get(address),
    nowMs,
  };
}
