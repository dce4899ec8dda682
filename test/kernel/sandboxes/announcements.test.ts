// What an engine sends in a sandbox while it adds an interface: if that fails, the container does not start. So neither
// the hold nor quarantine may make it fail, and nothing else gets out by that.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { cutInside } from "../../../src/edge/sandbox/tables/cut.ts";
import { closeInterfaces, holdInterfaces } from "../../../src/edge/sandbox/tables/interfaces.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const box = createNamespace("web");
run("ip", "link", "add", "vethweb", "up", "type", "veth", "peer", "name", "eth0", "netns", "web");
box.run("ip", "link", "set", "eth0", "up");
box.run("ip", "address", "add", "2001:db8:1::2/64", "dev", "eth0", "nodad");
box.run("ip", "-6", "route", "replace", "multicast", "ff00::/8", "dev", "eth0", "table", "local");

/** Sends ICMPv6 from its address; says how that ended. */
const script = `
import ipaddress, socket, struct, sys
kind, to = int(sys.argv[1]), sys.argv[2]
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as s:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
    s.bind(("2001:db8:1::2", 0))
    own = ipaddress.ip_address("2001:db8:1::2").packed
    try:
        s.sendto(struct.pack("!BBHI", kind, 0, 0, 0x20000000) + own, (to, 0, 0, socket.if_nametoindex("eth0")))
        print("sent")
    except OSError:
        print("refused")
`;
const send = (type: number, to: string): string => box.run("python3", "-c", script, String(type), to).trim();

/** Puts a frame on the wire that is said to carry ARP, as an engine's is; says how that ended. */
const frameScript = `
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
    s.bind(("eth0", 0x0806))
    head = bytes.fromhex("ffffffffffff" + "020000000002" + sys.argv[1])
    try:
        s.send(head + bytes(60))
        print("sent")
    except OSError:
        print("refused")
`;
const put = (etherType: string): string => box.run("python3", "-c", frameScript, etherType).trim();

const advertisement = 136;
const others = [
  ["an advertisement to another group", advertisement, "ff02::2"],
  ["an advertisement to a neighbour", advertisement, "2001:db8:1::3"],
  ["a router advertisement", 134, "ff02::1"],
  ["an echo to all", 128, "ff02::1"],
] as const;

describe("an address that an engine announces", () => {
  it("goes out without us", () => {
    assert.equal(send(advertisement, "ff02::1"), "sent");
    for (const [what, type, to] of others) assert.equal(send(type, to), "sent", what);
  });

  it("is no error while its interface is held, and all but neighbour discovery is", () => {
    withNamespace(box.fd, () => holdInterfaces([]));
    for (const to of ["ff02::1", "ff02::2"]) assert.equal(send(advertisement, to), "sent", to);
    for (const [what, type, to] of others.filter(([, , each]) => each !== "ff02::2"))
      assert.equal(send(type, to), "refused", what);
    assert.equal(send(128, "2001:db8:1::3"), "refused");
    withNamespace(box.fd, () => holdInterfaces("all"));
  });

  it("is no error where its interface is closed as a foreign one, and all else is", () => {
    const index = Number(box.run("cat", "/sys/class/net/eth0/ifindex"));
    for (const type of ["0806", "0800"]) assert.equal(put(type), "sent", type);
    withNamespace(box.fd, () => closeInterfaces([{ index, name: "eth0" }]));
    assert.deepEqual([put("0806"), send(advertisement, "ff02::1")], ["sent", "sent"]);
    for (const type of ["0800", "86dd", "8100"]) assert.equal(put(type), "refused", type);
    // What is for one neighbour waits until that one is found.
    for (const [what, type, to] of others.filter((each) => each[2].startsWith("ff02")))
      assert.equal(send(type, to), "refused", what);
    withNamespace(box.fd, () => closeInterfaces([]));
    assert.equal(put("0800"), "sent");
  });

  it("is no error while its container is cut off inside, and all else is", () => {
    withNamespace(box.fd, () => cutInside(true));
    assert.equal(send(advertisement, "ff02::1"), "sent");
    for (const [what, type, to] of others) assert.equal(send(type, to), "refused", what);
    withNamespace(box.fd, () => cutInside(false));
    for (const [what, type, to] of others) assert.equal(send(type, to), "sent", what);
  });
});
