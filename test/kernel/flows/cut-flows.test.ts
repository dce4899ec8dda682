// A flow that is cut is cut in both directions: what its far end goes on sending reaches the container no more.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { forgetUnless } from "../../../src/edge/kernel/flows/stamped.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const bridge = "br-0123456789ab";
const families = [
  {
    family: 4,
    length: 24,
    subnet: "198.19.1.0",
    gateway: "198.19.1.1",
    container: "198.19.1.2",
    outside: "203.0.113.1",
    uplink: "203.0.113.254",
    forwarding: "net.ipv4.ip_forward=1",
  },
  {
    family: 6,
    length: 64,
    subnet: "2001:db8:1::",
    gateway: "2001:db8:1::1",
    container: "2001:db8:1::2",
    outside: "2001:db8:2::1",
    uplink: "2001:db8:2::fe",
    forwarding: "net.ipv6.conf.all.forwarding=1",
  },
] as const;

/** Says `up`, answers the first datagram with one every 10 ms, and says how many it has sent when its input ends. */
const streamer = (outside: string): string => `
import select, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in "${outside}" else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${outside}", 9000)); print("up", flush=True)
_, to = s.recvfrom(99); n = 0
while not select.select([sys.stdin], [], [], 0.01)[0]: s.sendto(b"%d" % n, to); n += 1
print(n, flush=True)
`;
/** Sends one datagram, and says the number in each that comes. */
const listener = (container: string, outside: string): string => `
import socket
s = socket.socket(socket.AF_INET6 if ":" in "${outside}" else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${container}", 4000)); s.sendto(b"x", ("${outside}", 9000))
while True: print(s.recv(99).decode(), flush=True)
`;

const [inside, far] = [createNamespace("inside"), createNamespace("far")];
run("ip", "link", "add", bridge, "up", "type", "bridge");
run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "eth0", "netns", "inside");
run("ip", "link", "set", "in0", "master", bridge, "up");
run("ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", "far");
for (const box of [inside, far]) box.run("ip", "link", "set", "eth0", "up");

const sets = openKernelSets();
after(sets.close);
createSets(sets);
applySets(sets, {
  members: new Map(
    families.map(({ family, subnet, length }) => [
      setNames[`guarded${family}`],
      [{ prefix: { address: subnet as IpAddress, length }, iface: bridge }],
    ]),
  ),
  lists: new Map(families.map(({ family }) => [setNames[`closed${family}`], { family, bridges: [bridge] }])),
});

const cases = families.flatMap((each) => [false, true].map((isOverwritten) => ({ ...each, isOverwritten })));
for (const { family, length, container, outside, gateway, uplink, forwarding, isOverwritten } of cases)
  test(`nothing comes in on a flow of IPv${family} that is cut${isOverwritten ? ", whatever its mark" : ""}`, {
    timeout: 30_000,
  }, async (t) => {
    const flags = family === 6 ? ["nodad"] : [];
    run("ip", "address", "replace", `${gateway}/${length}`, "dev", bridge, ...flags);
    run("ip", "address", "replace", `${uplink}/${length}`, "dev", "out0", ...flags);
    for (const [box, address, router] of [
      [inside, container, gateway],
      [far, outside, uplink],
    ] as const) {
      box.run("ip", "address", "replace", `${address}/${length}`, "dev", "eth0", ...flags);
      box.run("ip", "route", "replace", "default", "via", router);
    }
    run("sysctl", "-qw", forwarding);
    await createIptables("nft").apply(
      family,
      desiredRules({ family, dnsPort: 5053, queueNumber: 77, hold: true }),
    );
    const [first, second] = [outside as IpAddress, container as IpAddress];
    const key = { kind: "ip-port-ip", first, protocol: 17, port: 9000, second } as const;
    sets.add(setNames[`grant${family}`], [{ key, timeoutSeconds: 300 }]);

    const python = (box: typeof far, program: string) => {
      const child = spawn("ip", ["netns", "exec", box.name, "python3", "-c", program], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      t.after(() => child.kill());
      return {
        child,
        lines: createInterface({ input: child.stdout })[
          Symbol.asyncIterator
        ]() as AsyncIterableIterator<string>,
      };
    };
    const server = python(far, streamer(outside));
    assert.equal((await server.lines.next()).value, "up");
    const client = python(inside, listener(container, outside));
    const received = async (): Promise<number> =>
      Number((await client.lines.next()).value ?? assert.fail("it ended"));
    while ((await received()) < 10);

    sets.del(setNames[`grant${family}`], [key]);
    // As a rule of other software does that saves its own marks (CONNMARK --save-mark).
    if (isOverwritten) run("conntrack", "-U", "-f", `ipv${family}`, "-s", container, "--mark", "1");
    const cut = forgetUnless(
      new Set([container as IpAddress]),
      ({ destination, port, protocol, stamped }) => {
        assert.deepEqual([destination, port, protocol, stamped], [outside, 9000, 17, !isOverwritten]);
        return false;
      },
    );
    assert.deepEqual(cut, [container]);
    let last = 0;
    const rest = (async () => {
      for await (const line of client.lines) last = Number(line);
    })();
    // As long again as it took to come so far, at the far end's own pace.
    await Promise.race([rest, new Promise((resolve) => setTimeout(resolve, 1_000))]);
    server.child.stdin.end("\n");
    const sent = Number((await server.lines.next()).value);
    assert.ok(sent > last + 50, `${sent} sent, the last that came was number ${last}`);
  });
