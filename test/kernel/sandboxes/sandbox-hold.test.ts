// What leaves a sandbox by an interface that is not known yet is held, in both families, until it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { readAddresses } from "../../../src/edge/sandbox/addresses.ts";
import { holdInterfaces } from "../../../src/edge/sandbox/tables/interfaces.ts";
import { openTableOwner, removeSandboxTables } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { createNamespace, enterNamespaces } from "../../support/namespace.ts";
import { openSandboxSockets } from "../../support/sandbox-sockets.ts";

enterNamespaces(import.meta.url);

test("packets leave by loopback and the interfaces that are known only", () => {
  const box = createNamespace("held");
  const owner = withNamespace(box.fd, openTableOwner);
  const { addressFd } = openSandboxSockets(box.fd);
  const sends = (address: string): boolean => {
    try {
      // The kernel refuses what is dropped at output.
      box.run("bash", "-c", `echo > /dev/udp/${address}/9`);
      return true;
    } catch {
      return false;
    }
  };
  const join = (name: string, net: string): string[] => {
    const other = createNamespace(name);
    box.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", other.name);
    for (const [{ run }, device, host] of [
      [box, name, "1"],
      [other, "eth0", "2"],
    ] as const) {
      run("ip", "address", "add", `198.51.100.${net}${host}/28`, "dev", device);
      run("ip", "address", "add", `2001:db8:${net}::${host}/64`, "dev", device, "nodad");
      run("ip", "link", "set", device, "up");
    }
    return [`198.51.100.${net}2`, `2001:db8:${net}::2`];
  };
  const known = (): number[] => [
    ...new Set(readAddresses(addressFd, box.fd).addresses.map(({ index }) => index)),
  ];
  const hold = (...interfaces: number[]): void =>
    withNamespace(box.fd, () => holdInterfaces(interfaces, owner));

  box.run("ip", "link", "set", "lo", "up");
  hold();
  const first = join("first", "1");
  assert.deepEqual(first.map(sends), [false, false]);
  assert.equal(sends("127.0.0.1"), true);
  assert.equal(sends("ff02::1%first"), false);
  assert.equal(sends("ff05::1"), false);
  hold(...known());
  assert.deepEqual([...first, "ff02::1%first"].map(sends), [true, true, true]);
  const second = join("second", "4");
  assert.deepEqual(second.map(sends), [false, false]);
  assert.deepEqual(first.map(sends), [true, true]);
  assert.throws(
    () => box.run("nft", "delete", "table", "inet", "dockerwall-hold"),
    /Operation not permitted/,
  );
  hold(...known());
  assert.deepEqual([...first, ...second].map(sends), [true, true, true, true]);
  hold();
  withNamespace(box.fd, () => holdInterfaces("all", owner));
  assert.deepEqual([...first, ...second].map(sends), [true, true, true, true]);
  hold();
  withNamespace(box.fd, () => removeSandboxTables(owner));
  assert.deepEqual([...first, ...second].map(sends), [true, true, true, true]);
  assert.equal(box.run("nft", "list", "tables"), "");
  owner.close();
});
