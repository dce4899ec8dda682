// iptables-save and iptables-restore, of one variant.

import type { Family } from "../../../core/model/address.ts";
import { type EngineRoot, type ExecOptions, exec } from "./exec.ts";
import { mayBeInLegacy, mayBeInNft } from "./traces.ts";

export type Backend = "nft" | "legacy";

/** The programs of one variant. */
export interface RuleTools {
  /** What iptables-save prints. */
  save(family: Family): Promise<string>;
  /**
   * What iptables-restore makes of a file, of which a table is put in as a whole or not at all.
   * @param groupsOf the pid of a process, as which it looks up groups that are named in the file
   */
  restore(family: Family, input: string, groupsOf?: number): Promise<unknown>;
  /** Whether it would take the file; nothing is put in. */
  test(family: Family, input: string): Promise<unknown>;
  /** Whether a rule of ours may be there. It takes no time, and what it denies is certain. */
  mayHoldOurs(family: Family): boolean;
}

/** How long another process may keep the lock before we say that nothing can be written; we try again all the time. */
const lockedSeconds = 5;

export function toolName(family: Family, backend: Backend): string {
  return `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
}

/** @param engineRoot below which the legacy variant finds the lock that it shares with the engine; else below our own */
export function toolsOf(backend: Backend, engineRoot: EngineRoot = () => undefined): RuleTools {
  // Only the legacy tools share a lock with other writers; nft transactions need none.
  const wait = backend === "legacy" ? ["-w", String(lockedSeconds)] : [];
  const restore = (
    family: Family,
    flags: readonly string[],
    options: Pick<ExecOptions, "input" | "groupsOf">,
  ): Promise<string> =>
    // What the file does not speak of stays.
    exec(`${toolName(family, backend)}-restore`, [...wait, "--noflush", ...flags], {
      ...options,
      engineRoot,
    });
  return {
    save: (family) => exec(`${toolName(family, backend)}-save`, [], { engineRoot }),
    restore: (family, input, groupsOf) =>
      restore(family, [], { input, ...(groupsOf === undefined ? {} : { groupsOf }) }),
    test: (family, input) => restore(family, ["--test"], { input }),
    mayHoldOurs: backend === "legacy" ? mayBeInLegacy : mayBeInNft,
  };
}
