// Rules of others that set the bits of the marks that are ours, before our rules look: nothing is opened by them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askedMark, refusedMark, senderMark, unsettledMark } from "../../../src/core/firewall/names.ts";
import type { Family } from "../../support/flood-lab.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { describeOthersMarks } from "../../support/others-marks.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");

const hex = (mark: number): string => `0x${mark.toString(16)}`;

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

describeOthersMarks("nft");
