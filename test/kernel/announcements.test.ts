// What an engine sends in a sandbox while it adds an interface: an error for it, and the container does not start. So
// neither the hold nor quarantine may be one, and nothing else is let out by that.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withNamespace } from "../../src/edge/kernel/netns.ts";
import { cutInside, holdInterfaces } from "../../src/edge/sandbox/table.ts";
import { createNamespace, enterNamespaces, run } from "../support/namespace.ts";

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
    except PermissionError:
        print("refused")
`;
const send = (type: number, to: string): string => box.run("python3", "-c", script, String(type), to).trim();

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

  it("is no error while its interface is held", () => {
    withNamespace(box.fd, () => holdInterfaces([]));
    assert.equal(send(advertisement, "ff02::1"), "sent");
    assert.equal(send(128, "2001:db8:1::3"), "refused");
    withNamespace(box.fd, () => holdInterfaces("all"));
  });

  it("is no error while its container is cut off inside, and all else is", () => {
    withNamespace(box.fd, () => cutInside(true));
    assert.equal(send(advertisement, "ff02::1"), "sent");
    for (const [what, type, to] of others) assert.equal(send(type, to), "refused", what);
    withNamespace(box.fd, () => cutInside(false));
    for (const [what, type, to] of others) assert.equal(send(type, to), "sent", what);
  });
});
