// Everything of a host that a firewall could leave its marks on, as text that can be compared.

import assert from "node:assert/strict";
import { command } from "./lab/command.ts";

const commands = {
  rules:
    "for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do $tool-save; done 2>/dev/null",
  ruleset: "nft list ruleset 2>/dev/null",
  sets: "ipset list -n 2>/dev/null",
  sysctls: "grep -rs '' /proc/sys/net | grep -v nf_conntrack_count | sort",
} as const;

/** Rules, sets and sysctls of a host. */
export type HostState = Readonly<Record<keyof typeof commands, string>>;

/**
 * Reads it by a shell on that host. Without what counts, and without comments that hold a date; a legacy table without
 * a rule does not count either: once there, it stays.
 */
export async function readHostState(shell: (script: string) => Promise<string>): Promise<HostState> {
  const all = Object.entries(commands).map(async ([name, command]) => {
    const text = (await shell(`${command}; true`))
      .replaceAll(/^#.*\n?/gm, "")
      .replaceAll(/\[\d+:\d+\]/g, "[]")
      .replaceAll(/packets \d+ bytes \d+/g, "")
      .replaceAll(/^\*\w+\n(:\w+ ACCEPT \[\]\n)+COMMIT$/gm, "");
    return [name, text.replaceAll(/\n{2,}/g, "\n").trim()] as const;
  });
  return Object.fromEntries(await Promise.all(all)) as HostState;
}

/** The state of this machine itself, which no lab may touch. */
export function readMachineState(): Promise<HostState> {
  return readHostState((script) => command(["sh", "-c", script]));
}

/** Asserts that a host is as it was. Settings that came with a kernel module are nobody's change. */
export function assertUntouched(was: HostState, is: HostState): void {
  const known = new Set(was.sysctls.split("\n").map((line) => line.split(":")[0]));
  const sysctls = is.sysctls.split("\n").filter((line) => known.has(line.split(":")[0]));
  assert.deepEqual({ ...is, sysctls: sysctls.join("\n") }, was);
}
