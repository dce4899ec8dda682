// Runs what a unit of ours starts as the host's systemd would, by tools of either backend.

import { execFileSync } from "node:child_process";
import { run } from "./namespace.ts";
import { execStarts } from "./systemd.ts";

export const backends = ["nft", "legacy"] as const;
export type Backend = (typeof backends)[number];

/** A PATH on which `iptables` is of this backend: which one it is differs by machine. Made within a test's namespaces. */
export function pathOf(backend: Backend): string {
  const folder = `/run/tools-${backend}`;
  run("mkdir", "-p", folder);
  for (const tool of ["iptables", "ip6tables"])
    for (const verb of ["", "-restore"])
      run("ln", "-sf", run("which", `${tool}-${backend}${verb}`).trim(), `${folder}/${tool}${verb}`);
  return `${folder}:${process.env["PATH"]}`;
}

/** @throws when one of its commands fails */
export function startUnit(unit: string, backend: Backend = "nft"): void {
  const env = { PATH: pathOf(backend) };
  for (const [command = "", ...args] of execStarts(unit)) execFileSync(command, args, { env, stdio: "pipe" });
}
