// iptables-save and iptables-restore, of one variant.

import type { Family } from "../../../core/model/address.ts";
import { type EngineRoot, exec } from "./exec.ts";
import { mayBeInLegacy, mayBeInNft } from "./traces.ts";

export type Backend = "nft" | "legacy";

/** The programs of one variant. */
export interface RuleTools {
  /** What iptables-save prints. */
  save(family: Family): Promise<string>;
  /** What iptables-restore makes of a file, of which a table is put in as a whole or not at all. */
  restore(family: Family, input: string): Promise<unknown>;
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

/** The program that takes a restore file and leaves what it does not speak of, and its arguments. */
export function restoreCommand(
  family: Family,
  backend: Backend,
): readonly [program: string, args: readonly string[]] {
  // Only the legacy tools share a lock with other writers; nft transactions need none.
  const wait = backend === "legacy" ? ["-w", String(lockedSeconds)] : [];
  return [`${toolName(family, backend)}-restore`, [...wait, "--noflush"]];
}

/** @param engineRoot below which the legacy variant finds the lock that it shares with the engine; else below our own */
export function toolsOf(backend: Backend, engineRoot: EngineRoot = () => undefined): RuleTools {
  const restore = (family: Family, input: string, ...flags: readonly string[]): Promise<string> => {
    const [program, args] = restoreCommand(family, backend);
    return exec(program, [...args, ...flags], { input, engineRoot });
  };
  return {
    save: (family) => exec(`${toolName(family, backend)}-save`, [], { engineRoot }),
    restore: (family, input) => restore(family, input),
    test: (family, input) => restore(family, input, "--test"),
    mayHoldOurs: backend === "legacy" ? mayBeInLegacy : mayBeInNft,
  };
}
