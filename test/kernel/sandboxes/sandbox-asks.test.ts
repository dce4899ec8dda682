// A question from inside a sandbox to a server that is not Docker's own: it leaves as the container's own would.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { socketAddress } from "../../../src/edge/kernel/socket-address.ts";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const box = createNamespace("asks");
run("ip", "link", "add", "port", "type", "veth", "peer", "name", "eth0", "netns", "asks");
run("ip", "link", "set", "port", "up");
box.run("ip", "link", "set", "lo", "up");
box.run("ip", "link", "set", "eth0", "up");
for (const [host, its] of [
  ["198.19.1.1/24", "198.19.1.2/24"],
  ["2001:db8:1::1/64", "2001:db8:1::2/64"],
] as const) {
  run("ip", "address", "add", host, "dev", "port", "nodad");
  box.run("ip", "address", "add", its, "dev", "eth0", "nodad");
}

for (const [type, server, expected] of [
  ["udp4", "198.19.1.1", "198.19.1.2"],
  ["udp6", "2001:db8:1::1", "2001:db8:1::2"],
] as const)
  test(`to ${server} it is sent from ${expected}`, async () => {
    await using resolver = createSocket(type);
    resolver.bind(53, server);
    await once(resolver, "listening");
    const from: string[] = [];
    resolver.on("message", (message, { port, address }) => {
      from.push(address);
      resolver.send(message, port, address);
    });
    const question = Buffer.from("to whom it belongs");
    const answer = await askInSandbox(box.fd, question, server as IpAddress);
    assert.deepEqual([Buffer.from(answer), from], [question, [expected]]);
  });

test("a server in the sandbox itself is asked there", async () => {
  const fd = withNamespace(box.fd, () => {
    const socket = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a resolver");
    libc.bind(socket, socketAddress(Uint8Array.of(127, 0, 0, 53), 53), "a resolver");
    return socket;
  });
  await using resolver = createSocket("udp4");
  resolver.bind({ fd });
  resolver.on("message", (message, { port, address }) => resolver.send(message, port, address));
  const question = Buffer.from("to whom it belongs");
  assert.deepEqual(Buffer.from(await askInSandbox(box.fd, question, "127.0.0.53" as IpAddress)), question);
});
