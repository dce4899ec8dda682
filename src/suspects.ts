// A container in quarantine that starts anew comes with a sandbox of its own and maybe another address, and the engine
// tells whose they are only when its first instructions have run. So while one in quarantine is without a sandbox, every
// new sandbox may be its: its addresses are cut off, and its lookups wait, until the engine has told.

import type { AskerIndex } from "./dns/asker.ts";
import type { KernelSets } from "./io/ipset.ts";
import type { IpAddress } from "./model/address.ts";
import { createSandboxEntries } from "./sandbox-entries.ts";

export interface Suspects {
  /** Whether this may be the sandbox of a container in quarantine; if so, its addresses are cut off on return. */
  mayBe(sandbox: string, addresses: readonly IpAddress[]): boolean;
  /** A reading of the engine has ended, and its picture is in use. True when that clears somebody. */
  told(): boolean;
  gone(sandbox: string): void;
  /** Removes what was put in for sandboxes that are no more. */
  retain(isLive: (sandbox: string) => boolean): void;
}

export interface SuspectsOptions {
  readonly sets: KernelSets;
  readonly indexNow: () => AskerIndex;
  /** Whether a sandbox is in use: it has an address. */
  readonly isInUse: (sandbox: string) => boolean;
  /** The engine must be read. */
  readonly ask: () => void;
}

/** Of two readings that end after this, the second began after it, and tells of every container that there was. */
const readingsToWait = 2;

export function createSuspects(options: SuspectsOptions): Suspects {
  const entries = createSandboxEntries(options.sets, "quarantine");
  /** Readings to wait for, by sandbox; 0 for one that is no container's: an image that is built, a swarm's ingress. */
  const waiting = new Map<string, number>();

  return {
    mayBe(sandbox, addresses) {
      const places = addresses.map((address) => ({ address }));
      const held = options.indexNow().quarantineOf(sandbox, options.isInUse);
      if (held !== "maybe" || waiting.get(sandbox) === 0) {
        entries.put(sandbox, held === "yes" ? places : []);
        if (held !== "maybe") waiting.delete(sandbox);
        return false;
      }
      entries.put(sandbox, places);
      if (!waiting.has(sandbox)) {
        waiting.set(sandbox, readingsToWait);
        options.ask();
      }
      return true;
    },
    told() {
      const before = [...waiting].filter(([, readings]) => readings > 0);
      for (const [sandbox, readings] of before) waiting.set(sandbox, readings - 1);
      if (before.some(([, readings]) => readings > 1)) options.ask();
      return before.some(([, readings]) => readings === 1);
    },
    gone(sandbox) {
      waiting.delete(sandbox);
      entries.put(sandbox, []);
    },
    retain: entries.retain,
  };
}
