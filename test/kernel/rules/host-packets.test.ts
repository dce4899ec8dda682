// With our rules and no daemon, the host's own packets go their way: whatever other software has marked them with, and
// whichever port they come to. So do those of neighbours that the host routes for.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { switchOff, switchOn } from "../../../src/edge/kernel/ipset/switch-set.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const families = [4, 6] as const;
const backends = ["nft", "legacy"] as const;
const far = { 4: "198.51.100.2", 6: "2001:db8:51::2" } as const;
const host = { 4: "198.51.100.1", 6: "2001:db8:51::1" } as const;
const lan = { 4: "203.0.113.2", 6: "2001:db8:52::2" } as const;
const lanHost = { 4: "203.0.113.1", 6: "2001:db8:52::1" } as const;

/** What other software marks packets with, and each bit of ours alone. */
const marks: readonly (readonly [whose: string, mark: string])[] = [
  ["Mullvad", "0x6d6f6c65"],
  ["wg-quick", "0xca6c"],
  ["Tailscale", "0x80000"],
  ["Tailscale", "0xff0000"],
  ["kube-proxy", "0x4000"],
  ["kube-proxy", "0x8000"],
  ["Calico", "0x1000000"],
  ["Calico", "0xffff0000"],
  ["whose every bit is set", "0xffffffff"],
  ["of our bits", "0x8000000"],
  ["of our bits", "0x10000000"],
  ["of our bits", "0x20000000"],
  ["of our bits", "0x30000000"],
  ["of our bits", "0x60000000"],
  ["of our bits", "0x80000000"],
  ["of our bits", "0xb0000000"],
];

const echo = `
import socket, sys, threading
def udp(s):
    while True:
        message, place = s.recvfrom(2048)
        s.sendto(message, place)
def tcp(s):
    while True:
        c = s.accept()[0]
        c.sendall(b"hello"); c.close()
for kind in (socket.AF_INET, socket.AF_INET6):
    for port in map(int, sys.argv[1:]):
        for transport, serve in ((socket.SOCK_DGRAM, udp), (socket.SOCK_STREAM, tcp)):
            s = socket.socket(kind, transport)
            if kind == socket.AF_INET6: s.setsockopt(41, 26, 1)
            s.bind(("", port))
            if serve is tcp: s.listen(64)
            threading.Thread(target=serve, args=(s,), daemon=True).start()
print("listening", flush=True)
sys.stdin.read()`;

/** Prints which of the places answer by UDP and TCP. Where nothing does, it has asked three times. */
const client = `
import socket, sys
address, mark, *ports = sys.argv[1:]
kind = socket.AF_INET6 if ":" in address else socket.AF_INET
def marked(transport):
    s = socket.socket(kind, transport)
    s.settimeout(0.4)
    if int(mark, 0): s.setsockopt(1, 36, int(mark, 0) if int(mark, 0) < 1 << 31 else int(mark, 0) - (1 << 32))
    return s
def udp(port):
    s = marked(socket.SOCK_DGRAM)
    s.connect((address, port))
    for turn in range(3):
        try:
            s.send(b"hello")
            return s.recv(100) == b"hello"
        except OSError: pass
    return False
def tcp(port):
    for turn in range(2):
        s = marked(socket.SOCK_STREAM)
        try:
            s.connect((address, port))
            return s.recv(100) == b"hello"
        except OSError: pass
        finally: s.close()
    return False
print(*[f"{way.__name__} {port}" for port in map(int, ports) for way in (udp, tcp) if way(port)], sep=", ", end="")`;

const ports = ["53", "9000"];
const everything = ports.flatMap((port) => [`udp ${port}`, `tcp ${port}`]).join(", ");

/** What answers at the address, asked by the host or in a namespace. */
function answers(from: "host" | "lan" | "far", address: string, mark: string, ...asked: string[]): string {
  const command = ["python3", "-c", client, address, mark, ...asked];
  return from === "host" ? run("python3", ...command.slice(1)) : run("ip", "netns", "exec", from, ...command);
}

async function serve(command: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

function join(name: string, device: string, addresses: readonly string[], gateways: readonly string[]): void {
  const made = createNamespace(name);
  run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name);
  const length = (address: string): string => `${address}/${address.includes(":") ? 64 : 24}`;
  for (const gateway of gateways) run("ip", "address", "add", length(gateway), "dev", device, "nodad");
  run("ip", "link", "set", device, "up");
  for (const address of addresses) made.run("ip", "address", "add", length(address), "dev", "eth0", "nodad");
  made.run("ip", "link", "set", "lo", "up");
  made.run("ip", "link", "set", "eth0", "up");
  for (const gateway of gateways)
    made.run("ip", gateway.includes(":") ? "-6" : "-4", "route", "add", "default", "via", gateway);
}

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
join("far", "uplink", Object.values(far), Object.values(host));
join("lan", "lan0", Object.values(lan), Object.values(lanHost));
const servers = [
  await serve("ip", "netns", "exec", "far", "python3", "-c", echo, ...ports),
  await serve("python3", "-c", echo, "5053"),
];
after(() => {
  for (const server of servers) server.kill();
});
const sets = openKernelSets();
createSets(sets);
after(() => sets.close());

/** Marks what comes in before any table of iptables sees it. */
function markIncoming(device: string, mark: string): void {
  run("nft", "add", "table", "inet", "others");
  run("nft", "add", "chain", "inet", "others", "in", "{ type filter hook prerouting priority -400; }");
  run("nft", "add", "rule", "inet", "others", "in", "iifname", device, "meta", "mark", "set", mark);
}

function unmarkIncoming(): void {
  run("nft", "delete", "table", "inet", "others");
}

for (const backend of backends) {
  describe(`the host's own packets, by iptables-${backend}`, () => {
    before(async () => {
      const options = { dnsPort: 5053, queueNumber: 5353, hold: true, demandSender: true };
      for (const family of families)
        await createIptables(backend).apply(family, desiredRules({ family, ...options }));
    });

    after(async () => {
      for (const family of families) await createIptables(backend).apply(family, []);
    });

    for (const family of families) {
      for (const [whose, mark] of marks) {
        it(`leave with a mark ${whose} ${mark}, IPv${family}`, () => {
          assert.equal(answers("host", far[family], mark, ...ports), everything);
        });

        it(`are answered with a mark ${whose} ${mark} on what comes in, IPv${family}`, () => {
          markIncoming("uplink", mark);
          try {
            assert.equal(answers("host", far[family], "0", ...ports), everything);
          } finally {
            unmarkIncoming();
          }
        });

        it(`and those that it routes leave with a mark ${whose} ${mark}, IPv${family}`, () => {
          markIncoming("lan0", mark);
          try {
            assert.equal(answers("lan", far[family], "0", ...ports), everything);
          } finally {
            unmarkIncoming();
          }
        });
      }

      it(`come to another program's socket at the port of our listener, IPv${family}`, () => {
        assert.equal(answers("far", host[family], "0", "5053"), "udp 5053, tcp 5053");
      });

      it(`do not come to our listener while a daemon has it, IPv${family}`, () => {
        switchOn(sets, "listens", 60);
        try {
          assert.equal(answers("far", host[family], "0", "5053"), "");
          assert.equal(answers("host", host[family], "0", "5053"), "udp 5053, tcp 5053");
        } finally {
          switchOff(sets, "listens");
        }
      });
    }
  });
}
