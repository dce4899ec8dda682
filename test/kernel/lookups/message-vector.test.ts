// Datagrams over the loopback by either way of a vector: in batches, and each by a call of its own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { MessageVector } from "../../../src/edge/kernel/message-vector.ts";
import { portOf, socketAddress } from "../../../src/edge/kernel/socket-address.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");

const loopback = Uint8Array.of(127, 0, 0, 1);
const what = "a test";

/** @returns a bound socket, and the bytes of its address */
function openSocket(): { readonly fd: number; readonly address: Uint8Array } {
  const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, what);
  libc.bind(fd, socketAddress(loopback, 0), what);
  return { fd, address: socketAddress(loopback, portOf(libc.getsockname(fd, what))) };
}

for (const batches of [true, false])
  describe(batches ? "in batches" : "one by one", () => {
    const make = (): MessageVector => new MessageVector(4, 64, batches);

    /** All that has come, and whether each was cut. */
    function receive(vector: MessageVector, fd: number): [string, boolean, number][] {
      const got: [string, boolean, number][] = [];
      for (let count = vector.receive(fd, what); count > 0; count = vector.receive(fd, what))
        for (let slot = 0; slot < count; slot++)
          got.push([
            Buffer.from(vector.datagram(slot)).toString("latin1"),
            vector.isCut(slot),
            portOf(vector.sender(slot)),
          ]);
      return got;
    }

    it("come in order, with their senders, empty ones too, and cut where they are too long", () => {
      const [from, to] = [openSocket(), openSocket()];
      const texts = ["first", "", "x".repeat(65), "last"];
      const vector = new MessageVector(4, 128, batches);
      for (const [slot, text] of texts.entries()) vector.put(slot, Buffer.from(text), to.address);
      assert.equal(vector.send(from.fd, texts.length), texts.length);
      const port = portOf(from.address);
      assert.deepEqual(receive(make(), to.fd), [
        ["first", false, port],
        ["", false, port],
        ["x".repeat(64), true, port],
        ["last", false, port],
      ]);
      for (const { fd } of [from, to]) libc.close(fd);
    });

    it("go out around one that cannot be sent", () => {
      const [from, to] = [openSocket(), openSocket()];
      const vector = make();
      vector.put(0, Buffer.from("a"), to.address);
      // Nothing leads there from a namespace with a loopback alone.
      vector.put(1, Buffer.from("nowhere"), socketAddress(Uint8Array.of(192, 0, 2, 1), 9));
      vector.put(2, Buffer.from("b"), to.address);
      assert.equal(vector.send(from.fd, 3), 2);
      assert.deepEqual(
        receive(make(), to.fd).map(([text]) => text),
        ["a", "b"],
      );
      for (const { fd } of [from, to]) libc.close(fd);
    });

    it("tell of a peer that is not there, and then of none", () => {
      const gone = openSocket();
      libc.close(gone.fd);
      const { fd } = openSocket();
      libc.connect(fd, gone.address, what);
      const vector = make();
      vector.put(0, Buffer.from("nobody"), new Uint8Array(0));
      vector.send(fd, 1);
      assert.throws(() => make().receive(fd, what), { errnoName: "ECONNREFUSED" });
      assert.equal(make().receive(fd, what), 0);
      libc.close(fd);
    });
  });

it("this kernel has batches", () => assert.equal(libc.whyNoBatches(), undefined));
