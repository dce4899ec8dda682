// Which of the host's files keep rules of ours for the next boot.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { findSavedRules } from "../../../../../src/edge/kernel/iptables/saved-rules.ts";

/** What is found in a root with these files; a text that starts with "->" is a link. */
function foundIn(files: Readonly<Record<string, string>>): readonly string[] {
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
    const [sentence = "", ...more] = foundIn({ [path]: text });
    assert.deepEqual(more, []);
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

test("saved rules: a link is followed within the host's root", () => {
  const files = { "/etc/nftables.conf": "->/srv/rules", "/srv/rules": listed };
  assert.equal(foundIn(files).length, 1);
});
