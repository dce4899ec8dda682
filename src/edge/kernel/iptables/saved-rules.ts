// What is ours in the host's saved rules and sets. Saving all rules while we run (iptables-save, netfilter-persistent
// save) saves ours too, but not their sets: at boot the whole file is then refused. Where sets are saved as well, they come
// back as they were on the day when they were saved.

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

/** Sets, by Debian's ipset-persistent, Arch, Fedora. */
const setFiles = ["/etc/iptables/ipsets", "/etc/ipset.conf", "/etc/sysconfig/ipset"];
/** Each file in them, of other plugins of netfilter-persistent, Fedora, Alpine. */
const setFolders = ["/etc/iptables", "/etc/sysconfig/ipset.d", "/etc/ipset.d"];

/** As `systemctl enable` leaves it; it makes the sets. */
const setsUnit = "/etc/systemd/system/multi-user.target.wants/dockerwall-sets.service";

/** As `ipset save` writes it. */
const ourSets = /^(?:create|add) dockerwall-/m;

/** A chain of ours, or a table. What only speaks of us is none. */
const ours = /^(?!\s*#).*(?:\bDOCKERWALL-[A-Z]|table \w+ dockerwall\b)/m;
/** As iptables-save writes it: what is ours in it is whole lines. */
const oneRuleEach = /^(?::|-[AIN] )DOCKERWALL-/m;

/** What the next boot would load. */
export interface SavedFinding {
  readonly what: "rules" | "sets";
  /** False for what the next boot loads without harm. */
  readonly harms: boolean;
  /** With what to do where it harms. */
  readonly sentence: string;
}

/** One for each file; `root` is the folder that the host sees as /. */
export function findSavedRules(root: string): readonly SavedFinding[] {
  const sets = filesOf(root, setFiles, setFolders).filter((path) => ourSets.test(readOrNothing(root, path)));
  const [savedIn] = sets;
  const madeBy = readOrNothing(root, setsUnit).includes("ipset restore")
    ? "dockerwall-sets.service is enabled and makes their sets before"
    : savedIn && `their sets are saved in ${savedIn}`;
  return [
    ...filesOf(root, files, folders).flatMap((path) => rulesIn(path, readOrNothing(root, path), madeBy)),
    ...sets.map((path): SavedFinding => {
      const sentence = `${path} contains sets of Dockerwall, so overrides, quarantines and grants that have ended since come back at the next boot; take them out (sed -i '/^[a-z]* dockerwall-/d' ${path}), and save no sets while Dockerwall runs`;
      return { what: "sets", harms: true, sentence };
    }),
  ];
}

/** @param madeBy what has their sets made before them, if anything has */
function rulesIn(path: string, text: string, madeBy: string | undefined): readonly SavedFinding[] {
  if (!ours.test(text)) return [];
  const contains = `${path} contains rules of Dockerwall`;
  // Sets mend nothing where nft wrote the file: it has no words of its own for most of our matches.
  const isRestored = oneRuleEach.test(text);
  if (isRestored && madeBy !== undefined) {
    const sentence = `${contains}, which the next boot loads, as ${madeBy}; the daemon puts them right when it starts`;
    return [{ what: "rules", harms: false, sentence }];
  }
  const fix = isRestored
    ? `take them out (sed -i /DOCKERWALL-/d ${path}), or have the sets created first (dockerwall boot-guard --sets)`
    : "delete each table dockerwall, each chain DOCKERWALL-* and each rule that jumps to one";
  const sentence = `${contains} whose sets are missing at boot, so the whole file is refused then, the host's own rules included; ${fix}`;
  return [{ what: "rules", harms: true, sentence }];
}

/** These, and all in these folders. */
function filesOf(root: string, names: readonly string[], inside: readonly string[]): readonly string[] {
  const within = inside.flatMap((folder) => namesIn(root + folder).map((name) => `${folder}/${name}`));
  return [...new Set([...names, ...within])];
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
