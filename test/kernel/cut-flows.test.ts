// A flow that is cut is cut in both directions: what its far end goes on sending reaches the container no more.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setNames } from "../../src/firewall/names.ts";
import { renderRuleset } from "../../src/firewall/ruleset.ts";
import { applySets, createSets } from "../../src/io/desired-sets.ts";
import { openKernelSets } from "../../src/io/ipset.ts";
import { createIptables } from "../../src/io/iptables.ts";
import { forgetUnless } from "../../src/io/stamped-flows.ts";
import type { IpAddress } from "../../src/model/address.ts";
import { createNamespace, enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const bridge = "br-0123456789ab";
const container = "198.19.1.2" as IpAddress;
const outside = "203.0.113.1" as IpAddress;

/** Says `up`, answers the first datagram with one every 10 ms, and says how many it has sent when its input ends. */
const streamer = `
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${outside}", 9000)); print("up", flush=True)
_, to = s.recvfrom(99); n = 0
while not select.select([sys.stdin], [], [], 0.01)[0]: s.sendto(b"%d" % n, to); n += 1
print(n, flush=True)
`;
/** Sends one datagram, and says the number in each that comes. */
const listener = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${container}", 4000)); s.sendto(b"x", ("${outside}", 9000))
while True: print(s.recv(99).decode(), flush=True)
`;

test("nothing comes in on a flow that is cut", { timeout: 30_000 }, async (t) => {
  const [inside, far] = [createNamespace("inside"), createNamespace("far")];
  run("ip", "link", "add", bridge, "type", "bridge");
  run("ip", "address", "add", "198.19.1.1/24", "dev", bridge);
  run("ip", "link", "set", bridge, "up");
  run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "eth0", "netns", "inside");
  run("ip", "link", "set", "in0", "master", bridge, "up");
  run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", "far");
  run("ip", "address", "add", "203.0.113.254/24", "dev", "out0");
  run("ip", "link", "set", "out0", "up");
  for (const [box, address, gateway] of [
    [inside, `${container}/24`, "198.19.1.1"],
    [far, `${outside}/24`, "203.0.113.254"],
  ] as const) {
    box.run("ip", "address", "add", address, "dev", "eth0");
    box.run("ip", "link", "set", "eth0", "up");
    box.run("ip", "route", "add", "default", "via", gateway);
  }
  run("sysctl", "-qw", "net.ipv4.ip_forward=1");
  const sets = openKernelSets();
  t.after(sets.close);
  createSets(sets);
  const subnet = { prefix: { address: "198.19.1.0" as IpAddress, length: 24 }, iface: bridge };
  applySets(sets, {
    members: new Map([[setNames.guarded4, [subnet]]]),
    lists: new Map([[setNames.closed4, { family: 4, bridges: [bridge] }]]),
  });
  await createIptables("nft").apply(
    4,
    renderRuleset({ family: 4, dnsPort: 5053, queueNumber: 77, hold: true }),
  );
  const key = { kind: "ip-port-ip", first: outside, protocol: 17, port: 9000, second: container } as const;
  sets.add(setNames.grant4, [{ key, timeoutSeconds: 300 }]);

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
  const server = python(far, streamer);
  assert.equal((await server.lines.next()).value, "up");
  const client = python(inside, listener);
  const received = async (): Promise<number> =>
    Number((await client.lines.next()).value ?? assert.fail("it ended"));
  while ((await received()) < 10);

  sets.del(setNames.grant4, [key]);
  const cut = forgetUnless(new Set([container]), ({ destination, port, protocol }) => {
    assert.deepEqual([destination, port, protocol], [outside, 9000, 17]);
    return false;
  });
  assert.equal(cut, 1);
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
