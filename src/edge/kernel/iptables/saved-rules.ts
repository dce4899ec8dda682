// Rules of ours in the host's saved rules. Saving all rules while we run (iptables-save, netfilter-persistent save)
// saves ours too, but not their sets: at boot the whole file is then refused.

import { readdirSync } from "node:fs";
import { readInside } from "../proc/inside.ts";

/** Of Debian, Fedora, Arch, Gentoo and their wikis. */
const files = [
  "/etc/iptables.rules",
  "/etc/iptables.up.rules",
  "/etc/nftables.conf",
  "/etc/sysconfig/iptables",
  "/etc/sysconfig/ip6tables",
  "/etc/sysconfig/nftables.conf",
  "/var/lib/iptables/rules-save",
  "/var/lib/ip6tables/rules-save",
  "/var/lib/nftables/rules-save",
];
/** Each file in them. */
const folders = ["/etc/iptables", "/etc/nftables", "/etc/nftables.d", "/etc/ufw"];

/** A chain of ours, or a table. What only speaks of us is none. */
const ours = /^(?!\s*#).*(?:\bDOCKERWALL-[A-Z]|table \w+ dockerwall\b)/m;
/** As iptables-save writes it: what is ours in it is whole lines. */
const oneRuleEach = /^(?::|-[AIN] )DOCKERWALL-/m;

/** One sentence for each file, with what to do; `root` is the folder that the host sees as /. */
export function findSavedRules(root: string): readonly string[] {
  const inFolders = folders.flatMap((folder) => namesIn(root + folder).map((name) => `${folder}/${name}`));
  return [...files, ...inFolders].flatMap((path) => {
    const text = readOrNothing(root, path);
    if (!ours.test(text)) return [];
    const fix = oneRuleEach.test(text)
      ? `take them out (sed -i /DOCKERWALL-/d ${path})`
      : "delete each table dockerwall, each chain DOCKERWALL-* and each rule that jumps to one";
    return `${path} contains rules of Dockerwall whose sets are missing at boot, so the whole file is refused then, the host's own rules included; ${fix}, or have the sets created first (dockerwall boot-guard --sets)`;
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What is no file, or not there, is loaded by nobody. */
function readOrNothing(root: string, path: string): string {
  try {
    return readInside(root, path);
  } catch {
    return "";
  }
}
