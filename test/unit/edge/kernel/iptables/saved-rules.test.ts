// Which of the host's files keep rules of ours for the next boot.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { bootSetsUnit } from "../../../../../src/core/firewall/boot-guard.ts";
import { findSavedRules, type SavedFinding } from "../../../../../src/edge/kernel/iptables/saved-rules.ts";

/** What is found in a root with these files; a text that starts with "->" is a link. */
function foundIn(files: Readonly<Record<string, string>>): readonly SavedFinding[] {
  const root = mkdtempSync(join(tmpdir(), "dockerwall-root-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      if (text.startsWith("->")) symlinkSync(text.slice(2), join(root, path));
      else writeFileSync(join(root, path), text);
    }
    return findSavedRules(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const saved = `*mangle
:FORWARD ACCEPT [0:0]
:DOCKERWALL-FORWARD - [0:0]
-A FORWARD -j DOCKERWALL-FORWARD
-A DOCKERWALL-FORWARD -m set --match-set dockerwall-guarded4 src,src -g DOCKERWALL-JUDGE
COMMIT
`;
const listed = `table ip mangle {
	chain DOCKERWALL-FORWARD {
		# match-set dockerwall-guarded4 src,src
	}
}
`;
const ports = "table netdev dockerwall {\n}\n";
const edit = /delete .*DOCKERWALL/;

const found: readonly [path: string, text: string, fix: RegExp][] = [
  ["/etc/iptables/rules.v4", saved, /sed -i \/DOCKERWALL-\/d \/etc\/iptables\/rules\.v4/],
  ["/etc/iptables/rules.v6", saved, /sed -i/],
  ["/etc/sysconfig/iptables", saved, /sed -i/],
  ["/etc/sysconfig/ip6tables", saved, /sed -i/],
  ["/etc/iptables.rules", saved, /sed -i/],
  ["/etc/ufw/before.rules", saved, /sed -i/],
  ["/etc/ufw/user6.rules", saved, /sed -i/],
  ["/var/lib/iptables/rules-save", saved, /sed -i/],
  ["/etc/nftables.conf", listed, edit],
  ["/etc/nftables/main.nft", listed, edit],
  ["/etc/sysconfig/nftables.conf", ports, edit],
];
for (const [path, text, fix] of found) {
  test(`saved rules: ${path} with rules of ours is found, with what to do`, () => {
    const [{ sentence, what, harms } = assert.fail("not found"), ...more] = foundIn({ [path]: text });
    assert.deepEqual(more, []);
    assert.deepEqual({ what, harms }, { what: "rules", harms: true });
    assert.ok(sentence.startsWith(`${path} contains rules of Dockerwall`), sentence);
    assert.match(sentence, fix);
  });
}

const clean: readonly [what: string, files: Readonly<Record<string, string>>][] = [
  ["no file at all", {}],
  ["rules of others", { "/etc/iptables/rules.v4": saved.replaceAll(/^.*DOCKERWALL.*\n/gm, "") }],
  ["a comment that names us", { "/etc/nftables.conf": "# Dockerwall has DOCKERWALL-FORWARD in mangle\n" }],
  [
    "a rule for a container of that name",
    { "/etc/ufw/user.rules": "-A ufw-user-input -m comment --comment dockerwall\n" },
  ],
  ["a folder where a file is looked for", { "/etc/iptables/rules.v4/x": saved }],
  ["a link that leads in a circle", { "/etc/nftables.conf": "->/etc/nftables.conf" }],
];
for (const [what, files] of clean) {
  test(`saved rules: nothing is found in ${what}`, () => assert.deepEqual(foundIn(files), []));
}

const wants = "/etc/systemd/system/multi-user.target.wants/dockerwall-sets.service";
const enabled = {
  [wants]: "->/etc/systemd/system/dockerwall-sets.service",
  "/etc/systemd/system/dockerwall-sets.service": bootSetsUnit(),
};
const rulesFile = { "/etc/iptables/rules.v4": saved };
const savedSets = "create dockerwall-rules hash:net\nadd dockerwall-rules 0.0.0.1 comment x\n";

test("saved rules: those whose sets are made before them are loaded, and said to be", () => {
  const [{ harms, sentence } = assert.fail("not found"), ...more] = foundIn({ ...rulesFile, ...enabled });
  assert.deepEqual(more, []);
  assert.equal(harms, false);
  assert.match(sentence, /rules\.v4 contains rules of Dockerwall, .*dockerwall-sets\.service is enabled/);
});

const unmended: readonly [what: string, files: Readonly<Record<string, string>>][] = [
  ["a unit that is there and not enabled", { ...rulesFile, ...enabled, [wants]: "" }],
  ["a unit that is enabled and gone", { ...rulesFile, [wants]: enabled[wants] ?? "" }],
  ["sets of others", { ...rulesFile, "/etc/iptables/ipsets": "create blocklist hash:ip\n" }],
  ["a file that nft wrote, whatever sets there are", { "/etc/nftables.conf": listed, ...enabled }],
];
for (const [what, files] of unmended)
  test(`saved rules: ${what} mends nothing`, () => {
    assert.deepEqual(
      foundIn(files).map(({ harms }) => harms),
      [true],
    );
  });

for (const path of ["/etc/iptables/ipsets", "/etc/ipset.conf", "/etc/sysconfig/ipset", "/etc/ipset.d/all"])
  test(`saved sets: ${path} with sets of ours is found, with what would come back`, () => {
    const found = foundIn({ ...rulesFile, [path]: savedSets });
    assert.deepEqual(
      found.map(({ what, harms }) => [what, harms]),
      [
        ["rules", false],
        ["sets", true],
      ],
    );
    const [rules = "", sets = ""] = found.map(({ sentence }) => sentence);
    assert.ok(rules.includes(`their sets are saved in ${path}`), rules);
    assert.ok(
      sets.startsWith(`${path} contains sets of Dockerwall, so overrides, quarantines and grants`),
      sets,
    );
    const [, fix = ""] = /\((sed [^)]*)\)/.exec(sets) ?? [];
    const left = `create blocklist hash:ip comment\nadd blocklist 192.0.2.1 comment dockerwall-rules\n`;
    const [command = "", ...args] = ["sed", fix.replace(/^sed -i '(.*)' .*$/, "$1")];
    assert.equal(execFileSync(command, args, { input: savedSets + left, encoding: "utf8" }), left);
  });

test("saved rules: a link is followed within the host's root", () => {
  const files = { "/etc/nftables.conf": "->/srv/rules", "/srv/rules": listed };
  assert.equal(foundIn(files).length, 1);
});
