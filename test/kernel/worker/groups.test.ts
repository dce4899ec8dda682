// What a guarded container sends to all on its link: neighbours get it, as they get all that stays on their network, and
// the host does not.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { raiseWall } from "../../support/sandbox-plane.ts";
import { makeFilteredBridges, startNeighbours } from "../../support/two-neighbours.ts";

enterNamespaces(import.meta.url);

makeFilteredBridges();
const wall = await raiseWall();
after(() => wall.remove());

const port = 7777;
const groups = ["198.19.1.255", "255.255.255.255", "239.255.255.250", "ff02::1", "ff05::9"];
/** Counts by destination what comes in, after all that may drop it. */
const counting = (hook: string): string =>
  [
    `add table inet seen`,
    `add chain inet seen in { type filter hook ${hook} priority 400; }`,
    ...groups.map(
      (to) =>
        `add rule inet seen in ${to.includes(":") ? "ip6" : "ip"} daddr ${to} udp dport ${port} counter`,
    ),
  ].join("\n");
const counted = (table: string): readonly number[] =>
  [...table.matchAll(/packets (\d+)/g)].map(([, count]) => Number(count));

/** One datagram to each, by the only interface. */
const sends = `
import socket, sys
index = socket.if_nametoindex("eth0")
for to in sys.argv[1:]:
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"x", (to, ${port}, 0, index) if ":" in to else (to, ${port}))
`;

test("broadcast and multicast of a guarded container reach its neighbour, and not the host", async (t) => {
  const { web, db } = await startNeighbours(t);
  for (const box of [web, db]) box.run("ip", "route", "add", "default", "via", "198.19.1.1");
  run("nft", counting("input"));
  t.after(() => run("nft", "delete", "table", "inet", "seen"));
  db.run("nft", counting("prerouting"));
  web.run("python3", "-c", sends, ...groups);
  await until("all of them", 10_000, async () =>
    counted(db.run("nft", "list", "table", "inet", "seen")).every((count) => count === 1) ? true : undefined,
  );
  assert.deepEqual(
    counted(run("nft", "list", "table", "inet", "seen")),
    groups.map(() => 0),
  );
});
