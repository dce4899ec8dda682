// Rules of others that set the bits of the marks that are ours, before our rules look, in either variant: nothing is
// opened by them, and each is found in what the tools print.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { findForeignMarks } from "../../src/core/firewall/foreign-marks.ts";
import {
  askedMark,
  connectionMark,
  refusedMark,
  rejectedMark,
  senderMark,
  setNames,
} from "../../src/core/firewall/names.ts";
import { type IpAddress, parsePrefix } from "../../src/core/model/address.ts";
import { type Family, type FloodLab, places, startFloodLab } from "./flood-lab.ts";
import { run } from "./namespace.ts";

const packets = 20;
const hex = (mark: number): string => `0x${mark.toString(16)}`;

/** A rule of others: its table, its chain, and the rest of it. */
type Rule = readonly [table: string, chain: string, ...target: string[]];
const inMangle = (...target: string[]): Rule => ["mangle", "PREROUTING", "-j", ...target];
const behind = (...target: string[]): Rule => ["mangle", "POSTROUTING", "-j", ...target];
const setsAll = ["--set-mark", "0xffffffff"] as const;

/** Rules in their order. */
const marks: readonly [what: string, ...rules: Rule[]][] = [
  ["stamp of an admitted flow", inMangle("CONNMARK", "--set-mark", hex(connectionMark.admitted))],
  ["stamp of an audited flow", inMangle("CONNMARK", "--set-mark", hex(connectionMark.audited))],
  ...(
    [
      ["asked about", askedMark],
      ["refused", refusedMark],
      ["denied, to be told", rejectedMark],
      ["seen at its sender's port", senderMark],
      ["all bits", 0xffff_ffff],
    ] as const
  ).flatMap(([what, mark]): [string, Rule][] =>
    ["raw", "mangle"].map((table) => [
      `${what}, in ${table}`,
      [table, "PREROUTING", "-j", "MARK", "--set-mark", hex(mark)],
    ]),
  ),
  [
    "marks kept over a flow, without a mask",
    inMangle("CONNMARK", "--restore-mark"),
    behind("CONNMARK", "--save-mark"),
  ],
  [
    "all bits of the flow's, restored",
    inMangle("CONNMARK", ...setsAll),
    inMangle("CONNMARK", "--restore-mark"),
  ],
  ["all bits of the packet's, saved", inMangle("MARK", ...setsAll), inMangle("CONNMARK", "--save-mark")],
  [
    "all bits, saved behind us and restored",
    inMangle("CONNMARK", "--restore-mark"),
    behind("MARK", ...setsAll),
    behind("CONNMARK", "--save-mark"),
  ],
];

/** Behind ours, where a denied packet is on its way to the rule that tells its sender. */
const afterwards = (...target: string[]): Rule => ["mangle", "FORWARD", "-j", ...target];
const overwriting: readonly [what: string, rule: Rule][] = [
  ["the packet's, saved", afterwards("CONNMARK", "--save-mark")],
  ["another one", afterwards("CONNMARK", "--set-mark", "1")],
  ["the stamp of an admitted flow", afterwards("CONNMARK", "--set-mark", hex(connectionMark.admitted))],
  ["all bits", afterwards("CONNMARK", ...setsAll)],
];

/** How many packets to the address the far side has had. */
function arrived(family: Family, to: string): number {
  const tool = family === 4 ? "iptables-nft" : "ip6tables-nft";
  const rules = run("ip", "netns", "exec", "far", tool, "-t", "raw", "-nvxL", "PREROUTING").split("\n");
  return Number(
    rules
      .find((line) => line.includes(to))
      ?.trim()
      .split(/\s+/)[0] ?? 0,
  );
}

function send(family: Family, to: string): number {
  const before = arrived(family, to);
  const script = `
import socket
s = socket.socket(socket.AF_INET${family === 4 ? "" : "6"}, socket.SOCK_DGRAM)
for i in range(${packets}):
    try: s.sendto(b"x", ("${to}", 9000))
    except OSError: pass`;
  run("ip", "netns", "exec", "neighbour", "python3", "-c", script);
  return arrived(family, to) - before;
}

/** Starts the lab, and tests in it. To be called once in a process, which keeps its queues of packets to its end. */
export function describeOthersMarks(backend: "nft" | "legacy"): void {
  describe(`marks of others (${backend})`, () => {
    let lab: FloodLab;
    before(async () => {
      lab = await startFloodLab(backend);
    });
    after(() => lab.close());
    for (const family of [4, 6] as const)
      describe(`IPv${family}`, () => othersMark(backend, family, () => lab));
  });
}

function othersMark(backend: "nft" | "legacy", family: Family, lab: () => FloodLab): void {
  const { denied, neighbour, subnets } = places[family];
  const tool = `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
  const key = {
    kind: "ip-port-ip",
    first: denied as IpAddress,
    protocol: 17,
    port: 9000,
    second: neighbour as IpAddress,
  } as const;

  function beside(rules: readonly Rule[], look: () => void): void {
    // Each is put before the ones of its chain, and all of them before ours.
    for (const [table, ...rest] of rules.toReversed()) run(tool, "-t", table, "-I", ...rest);
    try {
      look();
    } finally {
      for (const [table, ...rest] of rules) run(tool, "-t", table, "-D", ...rest);
    }
  }

  /** The data plane takes out what it has not granted, at any time: who finds that gone looks again. */
  function whileGranted(look: () => void): void {
    const set = setNames[`grant${family}`];
    const { sets } = lab();
    for (let left = 3; ; left--) {
      sets.add(set, [{ key, timeoutSeconds: 60 }]);
      try {
        look();
        return;
      } catch (error) {
        if (left === 0 || sets.has(set, key)) throw error;
      } finally {
        sets.del(set, [key]);
      }
    }
  }

  /** The neighbour's network tells senders what was denied. */
  function whileRejecting(look: () => void): void {
    const set = setNames[`reject${family}`];
    const prefix = parsePrefix(family === 4 ? `${subnets.neighbour}0/24` : `${subnets.neighbour}/64`);
    const member = { kind: "net-iface", prefix: prefix ?? assert.fail(), iface: "br-other" } as const;
    lab().sets.add(set, [{ key: member }]);
    try {
      look();
    } finally {
      lab().sets.del(set, [member]);
    }
  }

  for (const [what, [table, ...rule]] of overwriting) {
    it(`of the flow, overwritten behind us with ${what}, let nothing out that is denied and told`, () => {
      whileRejecting(() => {
        run(tool, "-t", table, "-A", ...rule);
        try {
          assert.equal(send(family, denied), 0);
          assert.equal(send(family, denied), 0);
          whileGranted(() => assert.equal(send(family, denied), packets));
        } finally {
          run(tool, "-t", table, "-D", ...rule);
        }
        assert.equal(send(family, denied), 0);
      });
    });
  }

  it("for what is denied and told, set before us, take nothing from what is granted", () => {
    whileRejecting(() =>
      beside([inMangle("MARK", "--set-mark", hex(rejectedMark))], () =>
        whileGranted(() => {
          assert.equal(send(family, denied), packets);
          assert.equal(send(family, denied), packets);
        }),
      ),
    );
  });

  for (const [what, ...rules] of marks) {
    it(`${what}, open nothing, and are found`, () => {
      beside(rules, () => {
        assert.equal(send(family, denied), 0);
        const found = findForeignMarks(run(`${tool}-save`)).map(({ rule }) => rule);
        assert.equal(found.length, rules.length, found.join("\n"));
      });
    });
  }

  it("kept over a flow, without a mask, take nothing from what is granted, and nothing outlives the grant", () => {
    beside([inMangle("CONNMARK", "--restore-mark"), behind("CONNMARK", "--save-mark")], () => {
      whileGranted(() => assert.equal(send(family, denied), packets));
      assert.equal(send(family, denied), 0);
    });
  });

  it("what is granted arrives, and nothing marks it", () => {
    whileGranted(() => assert.equal(send(family, denied), packets));
    assert.deepEqual(findForeignMarks(run(`${tool}-save`)), []);
  });
}
