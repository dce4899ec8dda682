// The ports of many containers that are judged in one turn are one step of the kernel, and one that it refuses fails by
// itself.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { eachAttribute, readText } from "../../../src/edge/kernel/netlink/message.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../../src/edge/kernel/netlink/socket.ts";
import { openPortTable, removePortTable } from "../../../src/edge/kernel/nftables/host/port-table.ts";
import { indexOf } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
after(() => wall.remove());

/** NFNLGRP_NFTABLES as a bit mask; messages of a new rule and of a new generation of rules; the name of a rule's chain. */
const NFTABLES_GROUP = 1 << 6;
const NEWRULE = (10 << 8) | 6;
const NEWGEN = (10 << 8) | 15;
const CHAIN_NAME = 2;

/** How many guards of ports each transaction filled, of those that filled any. */
async function guardsInSteps(work: () => Promise<void>): Promise<readonly number[]> {
  const watch = openNetlink(NETLINK_NETFILTER, "the steps of nftables", NFTABLES_GROUP);
  try {
    await work();
    const steps: number[] = [];
    const guards = new Set<string>();
    const overflows = watch.receive(({ type, view, start, end }) => {
      if (type === NEWRULE)
        eachAttribute(view, start + 4, end, (attribute, from, to) => {
          const name = attribute === CHAIN_NAME ? readText(view, from, to) : "";
          if (name.startsWith("guard-")) guards.add(name);
        });
      if (type !== NEWGEN) return;
      if (guards.size > 0) steps.push(guards.size);
      guards.clear();
    });
    assert.equal(overflows, 0);
    return steps;
  } finally {
    watch.close();
  }
}

interface Box {
  readonly name: string;
  readonly address: string;
  readonly port: string;
}

function makeBoxes(kind: string, count: number, firstHost: number): readonly Box[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${kind}${index}`;
    const address = `198.19.1.${firstHost + index}`;
    return { name, address, port: join(createNamespace(name), "eth0", `${address}/24`) };
  });
}

const containersOf = (boxes: readonly Box[]) =>
  boxes.map(({ name, address }) => containerOf(`c-${name}`, name, [app, address]));

/** Whether the chain of a port lets its container's address in. */
const isGuarded = ({ port, address }: Box, rules: string): boolean =>
  new RegExp(`chain guard-${indexOf(port)} \\{[^}]*device "${port}"[^}]*ip saddr ${address} `).test(rules);
const rulesNow = (): string => run("nft", "list", "table", "netdev", "dockerwall");

/** As an earlier run has left them. */
function guardBefore(boxes: readonly Box[]): void {
  const table = openPortTable();
  const refusals = table.guardAll(
    boxes.map(({ port, address }) => ({
      port: { index: indexOf(port), name: port },
      guard: {
        senders: [address as IpAddress],
        neighbourhood: [],
        neighbourhoods: [],
        bridgeMac: undefined,
        linkLocal: [],
        linkLocalMay: "judged",
      },
    })),
  );
  assert.equal(refusals.size, 0);
  table.close();
}

for (const [kind, what, firstHost] of [
  ["new", "without a chain", 10],
  ["old", "with chains of an earlier run", 40],
] as const)
  test(`what many containers ${what} demand in one turn is one step`, async (t) => {
    removePortTable();
    const boxes = makeBoxes(kind, 24, firstHost);
    t.after(() => {
      for (const { name } of boxes) run("ip", "netns", "del", name);
    });
    if (kind === "old") guardBefore(boxes);
    const { plane } = await startPlane(t);
    const steps = await guardsInSteps(() => post(plane, containersOf(boxes)));
    assert.deepEqual(steps, [boxes.length]);
    const rules = rulesNow();
    assert.ok(boxes.every((box) => isGuarded(box, rules)));
  });

test("one of them that the kernel refuses is a problem, and fails by itself", async (t) => {
  const boxes = makeBoxes("one", 6, 80);
  t.after(() => {
    for (const { name } of boxes) run("ip", "netns", "del", name);
  });
  const [first = assert.fail(), bad = assert.fail()] = boxes;
  removePortTable();
  // A chain to which other software's leads cannot be taken away, nor be hung on a port.
  const name = `guard-${indexOf(bad.port)}`;
  run("nft", `add table netdev dockerwall; add chain netdev dockerwall ${name}`);
  run("nft", `add chain netdev dockerwall by-1; add rule netdev dockerwall by-1 jump ${name}`);
  const { plane, problems } = await startPlane(t, { expectsProblems: true });
  await post(plane, containersOf(boxes));
  plane.holdUnsettled();
  // Messages are taken one after the other.
  await post(plane, containersOf(boxes));
  const rules = rulesNow();
  for (const box of boxes) assert.equal(isGuarded(box, rules), box !== bad, box.name);
  const settled = run("nft", "list", "set", "bridge", "dockerwall", "settled");
  assert.match(settled, new RegExp(`"${first.port}"`));
  assert.doesNotMatch(settled, new RegExp(`"${bad.port}"`));
  const [problem = ""] = problems;
  assert.deepEqual([...new Set(problems)], [problem]);
  assert.match(problem, new RegExp(`of 1 container.*the ports of sandbox ${bad.name}: .*EBUSY`));
  // Nothing changes there, and nobody posts another picture.
  run("nft", `flush chain netdev dockerwall by-1`);
  await until("it to be guarded", 20_000, () => (isGuarded(bad, rulesNow()) ? true : undefined));
  await until("its port to be settled", 5_000, () =>
    run("nft", "list", "set", "bridge", "dockerwall", "settled").includes(`"${bad.port}"`) ? true : undefined,
  );
});
