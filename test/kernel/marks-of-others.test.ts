// Rules of others that set the bits of the marks that are ours, before our rules look: nothing is opened by them.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import {
  askedMark,
  connectionMark,
  refusedMark,
  rejectedMark,
  senderMark,
  setNames,
  unsettledMark,
} from "../../src/core/firewall/names.ts";
import type { IpAddress } from "../../src/core/model/address.ts";
import { type Family, places, startFloodLab } from "../support/flood-lab.ts";
import { enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");
const lab = await startFloodLab();
after(() => lab.close());

const packets = 20;
const hex = (mark: number): string => `0x${mark.toString(16)}`;
const marks: readonly [what: string, ...rule: string[]][] = [
  ["stamp of an admitted flow", "CONNMARK", "--set-mark", hex(connectionMark.admitted)],
  ["stamp of an audited flow", "CONNMARK", "--set-mark", hex(connectionMark.audited)],
  ["asked about", "MARK", "--set-mark", hex(askedMark)],
  ["refused", "MARK", "--set-mark", hex(refusedMark)],
  ["denied, to be told", "MARK", "--set-mark", hex(rejectedMark)],
  ["seen at its sender's port", "MARK", "--set-mark", hex(senderMark)],
  ["all bits", "MARK", "--set-mark", "0xffffffff"],
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

/** What the host hears of what it sends to itself. */
function hearsItself(family: Family): string {
  const address = family === 4 ? "127.0.0.1" : "::1";
  const script = `
import socket
far, near = [socket.socket(socket.AF_INET${family === 4 ? "" : "6"}, socket.SOCK_DGRAM) for i in range(2)]
far.bind(("${address}", 0)); far.settimeout(1)
near.sendto(b"to itself", far.getsockname())
try: print(far.recv(100).decode(), end="")
except TimeoutError: pass`;
  return run("python3", "-c", script);
}

for (const family of [4, 6] as const) {
  describe(`what the host sends to itself by IPv${family}`, () => {
    const tool = family === 4 ? "iptables-nft" : "ip6tables-nft";
    for (const mark of [0, askedMark, refusedMark, senderMark, unsettledMark]) {
      it(`arrives with the mark ${hex(mark)}`, () => {
        run(tool, "-t", "mangle", "-I", "OUTPUT", "-o", "lo", "-j", "MARK", "--set-mark", hex(mark));
        try {
          assert.equal(hearsItself(family), "to itself");
        } finally {
          run(tool, "-t", "mangle", "-D", "OUTPUT", "-o", "lo", "-j", "MARK", "--set-mark", hex(mark));
        }
      });
    }
  });
}

for (const family of [4, 6] as const) {
  const { denied, neighbour } = places[family];
  const tool = family === 4 ? "iptables-nft" : "ip6tables-nft";
  describe(`marks of others, IPv${family}`, () => {
    for (const [what, ...rule] of marks) {
      for (const table of rule[0] === "CONNMARK" ? ["mangle"] : ["raw", "mangle"]) {
        it(`${what}, in ${table}, open nothing`, () => {
          run(tool, "-t", table, "-I", "PREROUTING", "-j", ...rule);
          try {
            assert.equal(send(family, denied), 0);
          } finally {
            run(tool, "-t", table, "-D", "PREROUTING", "-j", ...rule);
          }
        });
      }
    }

    it("what is granted arrives", () => {
      const key = {
        kind: "ip-port-ip",
        first: denied as IpAddress,
        protocol: 17,
        port: 9000,
        second: neighbour as IpAddress,
      } as const;
      lab.sets.add(setNames[`grant${family}`], [{ key, timeoutSeconds: 60 }]);
      assert.equal(send(family, denied), packets);
      lab.sets.del(setNames[`grant${family}`], [key]);
    });
  });
}
