// What the entrypoint tries of the kernel: a kernel that has it all passes, and of one that lacks something it is said
// what, whatever it is.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { noIpv6 } from "../../support/daemon-process.ts";
import { enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const original = readFileSync(join(import.meta.dirname, "../../../entrypoint.sh"), "utf8");

/** Of the script, changed, in a network namespace of its own, as it starts itself. */
function probe(
  backend: string,
  change: (script: string) => string = (script) => script,
  launcher: readonly string[] = [],
) {
  writeFileSync("/run/entrypoint.sh", change(original));
  const args = ["unshare", "--net", "sh", "/run/entrypoint.sh", "--probe-kernel", backend];
  const [program = "", ...rest] = [...launcher, ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

/** A kernel that has no such thing; the script must have it. */
function without(wanted: string, nothing: string): (script: string) => string {
  return (script) => {
    assert.ok(script.includes(wanted), wanted);
    return script.replace(wanted, nothing);
  };
}

for (const backend of ["nft", "legacy"]) {
  describe(`the kernel, tried with iptables-${backend}`, () => {
    it("has everything", () => assert.deepEqual(probe(backend), { status: 0, said: "" }));

    it("has everything but IPv6", () =>
      assert.deepEqual(probe(backend, undefined, noIpv6), { status: 0, said: "" }));

    const lacking: readonly [what: string, change: (script: string) => string, sentence: RegExp][] = [
      [
        "a kind of set",
        without("hash:net,port family", "hash:net,nothing family"),
        /^dockerwall: the kernel lacks sets of type hash:net,nothing; run modprobe ip_set_hash_netport on the host/,
      ],
      [
        "a match of IPv4",
        without("-m owner --uid-owner 0", "-m nothing"),
        /^dockerwall: the kernel lacks xt_owner, tried with iptables-\w+; run modprobe xt_owner on the host/,
      ],
      [
        "a match of IPv6",
        without("-m hl --hl-eq 255", "-m nothing"),
        /^dockerwall: the kernel lacks xt_hl, tried with ip6tables-\w+; run modprobe xt_hl on the host/,
      ],
      [
        "a target",
        without("-j REJECT --reject-with icmp-admin-prohibited", "-j NOTHING"),
        /^dockerwall: the kernel lacks ipt_REJECT, tried with iptables-\w+; run modprobe ipt_REJECT on the host/,
      ],
      [
        "a table",
        without("table|raw|PREROUTING", "table|nothing|PREROUTING"),
        backend === "nft" ? /the kernel lacks nf_tables, / : /the kernel lacks iptable_nothing, /,
      ],
    ];
    for (const [what, change, sentence] of lacking)
      it(`lacks ${what}`, () => {
        const { status, said } = probe(backend, change);
        assert.match(said, sentence);
        assert.equal(said.trimEnd().split("\n").length, 1);
        assert.equal(status, 71);
      });
  });
}

describe("the variant that is chosen", () => {
  const chains = (tool: string, name: string): string => `${tool} -t filter -N ${name}`;
  const cases: readonly [what: string, before: readonly string[], expected: string][] = [
    ["is nft where there is nothing", [], "nft"],
    ["is that of the engine's chains", [chains("iptables-legacy", "DOCKER")], "legacy"],
    [
      "is that of the engine's chains, wherever ours were left",
      [chains("iptables-legacy", "DOCKER"), chains("iptables-nft", "DOCKERWALL-FORWARD")],
      "legacy",
    ],
    [
      "is nft where both have the engine's",
      [chains("iptables-legacy", "DOCKER"), chains("iptables-nft", "DOCKER")],
      "nft",
    ],
  ];
  for (const [what, before, expected] of cases)
    it(what, () => {
      writeFileSync("/run/entrypoint.sh", without('main "$@"', "choose_backend")(original));
      const script = [...before, "sh /run/entrypoint.sh"].join(" && ");
      const { stdout, stderr } = spawnSync("unshare", ["--net", "sh", "-c", script], { encoding: "utf8" });
      assert.equal(stdout + stderr, `${expected}\n`);
    });
});
