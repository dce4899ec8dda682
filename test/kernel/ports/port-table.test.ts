// What may come in by a port and go out by it, shown by frames: each is first seen to arrive without the table.

import assert from "node:assert/strict";
import { constants } from "node:os";
import { after, afterEach, describe, it, test } from "node:test";
import type { PortGuard } from "../../../src/core/firewall/port-guard.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { NetlinkError } from "../../../src/edge/kernel/netlink/refusal.ts";
import { NETLINK_NETFILTER, NetlinkSocket, openNetlink } from "../../../src/edge/kernel/netlink/socket.ts";
import {
  hasPortTable,
  openPortTable,
  type PortTable,
  probePortTable,
  removePortTable,
} from "../../../src/edge/kernel/nftables/host/port-table.ts";
import {
  arpFrame,
  authenticated6Frame,
  changed,
  firstUdpFragment,
  frame,
  hexOf,
  hiddenIcmp6Frame,
  hiddenUdp6Frame,
  icmp6Frame,
  indexOf,
  tagged,
  udpFrame,
  untagged,
  Wire,
} from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

// Otherwise the kernel itself keeps what is invalid from the bridge.
for (const family of ["iptables", "ip6tables"])
  run("sysctl", "-qew", `net.bridge.bridge-nf-call-${family}=0`);
run("ip", "link", "add", "br-app", "type", "bridge");
run("ip", "address", "add", "198.19.1.1/24", "dev", "br-app");
run("ip", "link", "set", "br-app", "up");
const wires = ["box", "neighbour", "witness"].map((name) => {
  const box = createNamespace(name);
  run("ip", "link", "add", `p-${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `p-${name}`, "master", "br-app", "up");
  box.run("ip", "link", "set", "eth0", "up");
  return new Wire(box, "eth0");
});
const [box = assert.fail(), neighbour = assert.fail(), witness = assert.fail()] = wires;
const port = { index: indexOf("p-box"), name: "p-box" };
// Packets that the host takes in, and those of them that were seen to be their sender's.
run(
  "nft",
  `add table inet seen
   add chain inet seen in { type filter hook prerouting priority -300; }
   add rule inet seen in meta mark & 0x40000000 == 0x40000000 counter comment marked`,
);
after(() => {
  for (const wire of wires) wire.close();
});

const marked = (): number =>
  Number(/packets (\d+)/.exec(run("nft", "list", "chain", "inet", "seen", "in"))?.[1]);

/** NFNLGRP_NFTABLES as a bit mask, and the message of a new generation of rules. */
const NFTABLES_GROUP = 1 << 6;
const NEWGEN = (10 << 8) | 15;

let sentinels = 0;

/** Whether a frame from one wire arrives at the other: one that follows it does. */
async function passes(sent: Uint8Array, from = box, to = neighbour): Promise<boolean> {
  const sentinel = udpFrame("198.19.1.2", "198.19.1.250", ++sentinels);
  to.read();
  from.send(sent);
  from.send(sentinel);
  const seen: string[] = [];
  const arrived = await until("the frame that follows", 2_000, () => {
    seen.push(...to.read());
    return seen.includes(hexOf(sentinel)) ? seen : undefined;
  });
  return arrived.includes(hexOf(untagged(sent)));
}

const guard: PortGuard = {
  senders: ["198.19.1.2", "198.19.1.77", "198.19.3.2", "2001:db8:1::2"] as IpAddress[],
  neighbourhood: ["198.19.1.0/24", "2001:db8:1::/64"].map((text) => parsePrefix(text) ?? assert.fail()),
  neighbourhoods: ["198.19.1.0/24", "198.19.3.0/24", "2001:db8:1::/64"].flatMap(
    (text) => parsePrefix(text) ?? [],
  ),
  bridgeMac: "02:00:00:00:00:99",
  linkLocal: ["fe80::1234"] as IpAddress[],
  linkLocalMay: "judged",
};

function withTable(work: (table: PortTable) => Promise<void>): () => Promise<void> {
  return async () => {
    const table = openPortTable();
    try {
      await work(table);
    } finally {
      table.remove();
      table.close();
    }
  };
}

afterEach(() => assert.equal(hasPortTable(), false));

describe("what may come in by a guarded port", () => {
  const link = "fe80::1234";
  const others = "fe80::5678";
  const offer = udpFrame("198.19.1.2", "255.255.255.255", 68, 67);
  const offer6 = udpFrame("2001:db8:1::2", "ff02::1", 546, 547);
  const linkOffer6 = udpFrame(link, "ff02::1", 546, 547);
  const cases: readonly [name: string, sent: Uint8Array, judged: string, discovery: string][] = [
    ["its own address", udpFrame("198.19.1.2", "198.19.1.9", 9), "marked", "marked"],
    ["a floating one", udpFrame("198.19.1.77", "198.19.1.9", 9), "marked", "marked"],
    ["its address on another network", udpFrame("198.19.3.2", "203.0.113.9", 9), "marked", "marked"],
    ["its own of IPv6", udpFrame("2001:db8:1::2", "2001:db8:1::9", 9), "marked", "marked"],
    ["a neighbour's", udpFrame("198.19.1.3", "198.19.1.9", 9), "no", "no"],
    ["a neighbour's of IPv6", udpFrame("2001:db8:1::3", "2001:db8:1::9", 9), "no", "no"],
    ["nobody's", udpFrame("198.19.1.200", "203.0.113.9", 53), "no", "no"],
    ["the gateway's", udpFrame("198.19.1.1", "198.19.1.9", 9), "no", "no"],
    ["one of the internet", udpFrame("203.0.113.5", "198.19.1.1", 9), "no", "no"],
    ["no address", udpFrame("0.0.0.0", "255.255.255.255", 67), "no", "no"],
    ["link-local", udpFrame(link, "ff02::1", 5353), "marked", "no"],
    ["a neighbour's link-local", udpFrame(others, "ff02::1", 5353), "no", "no"],
    ["discovery", icmp6Frame(135, link), "marked", "passes"],
    ["discovery from a neighbour's", icmp6Frame(135, others), "no", "no"],
    ["a report of groups from a neighbour's", icmp6Frame(143, others), "no", "no"],
    ["discovery of whether an address is free", icmp6Frame(135, "::"), "marked", "marked"],
    ["a report of groups", icmp6Frame(143, "::"), "marked", "marked"],
    ["something else from no address", icmp6Frame(128, "::"), "no", "no"],
    ["an advertisement of its own", icmp6Frame(136, link, "2001:db8:1::2"), "marked", "passes"],
    ["an advertisement of link-local", icmp6Frame(136, link, link), "marked", "passes"],
    ["an advertisement of a neighbour's link-local", icmp6Frame(136, link, others), "no", "no"],
    ["the same as the neighbour", icmp6Frame(136, others, others), "no", "no"],
    ["the same from its own address", icmp6Frame(136, "2001:db8:1::2", others), "no", "no"],
    ["an advertisement of a neighbour's", icmp6Frame(136, link, "2001:db8:1::3"), "no", "no"],
    ["the same from its own", icmp6Frame(136, "2001:db8:1::2", "2001:db8:1::1"), "no", "no"],
    ["a router advertisement behind options", hiddenIcmp6Frame(60, 134, link), "no", "no"],
    ["a router advertisement behind groups' options", hiddenIcmp6Frame(0, 134, link), "no", "no"],
    ["a router advertisement in a fragment", hiddenIcmp6Frame(44, 134, link), "no", "no"],
    ["its own address in a tag", tagged(udpFrame("198.19.1.2", "198.19.1.9", 9), 1), "marked", "marked"],
    ["its own address in two tags", tagged(udpFrame("198.19.1.2", "198.19.1.9", 9), 2), "no", "no"],
    ["a forged one in a tag", tagged(udpFrame("198.19.1.3", "198.19.1.9", 9), 1), "no", "no"],
    ["a forged one in two tags", tagged(udpFrame("198.19.1.3", "198.19.1.9", 9), 2), "no", "no"],
    ["a router advertisement in two tags", tagged(icmp6Frame(134, link), 2), "no", "no"],
    ["an echo request, link-local", icmp6Frame(128, link), "marked", "no"],
    ["a router advertisement", icmp6Frame(134, link), "no", "no"],
    ["a redirect", icmp6Frame(137, link), "no", "no"],
    ["a router advertisement from its own address", icmp6Frame(134, "2001:db8:1::2"), "no", "no"],
    ["an offer of DHCP", udpFrame("198.19.1.2", "255.255.255.255", 68, 67), "no", "no"],
    ["an offer from another port", udpFrame("198.19.1.2", "255.255.255.255", 68), "no", "no"],
    ["an offer to another port", udpFrame("198.19.1.2", "198.19.1.1", 9, 67), "no", "no"],
    ["an advertisement of DHCPv6", udpFrame(link, "ff02::1", 546, 547), "no", "no"],
    ["one from its own address", udpFrame("2001:db8:1::2", "2001:db8:1::9", 546), "no", "no"],
    ["one to another port", udpFrame("2001:db8:1::2", "2001:db8:1::9", 9, 547), "no", "no"],
    ["one behind options", hiddenUdp6Frame("2001:db8:1::2", "2001:db8:1::9", 546), "no", "no"],
    ["an offer with a version of IP that is none", changed(offer, 14, 0x55), "no", "no"],
    ["an offer whose header is too short", changed(offer, 14, 0x44), "no", "no"],
    ["an offer that says it is longer than it is", changed(offer, 16, 1), "no", "no"],
    ["an offer that says it is shorter than its header", changed(offer, 17, 8), "no", "no"],
    ["an advertisement of DHCPv6 with another version", changed(offer6, 14, 0x50), "no", "no"],
    ["one that says it is longer than it is", changed(offer6, 18, 1), "no", "no"],
    ["an invalid one from its link-local address", changed(linkOffer6, 18, 1), "no", "no"],
    ["a question for an address", udpFrame("198.19.1.2", "198.19.1.9", 67, 68), "marked", "marked"],
    ["an authentication header", authenticated6Frame("2001:db8:1::2", "2001:db8:9::9", 443), "no", "no"],
    ["one to a neighbour", authenticated6Frame("2001:db8:1::2", "2001:db8:1::9", 443), "marked", "marked"],
    ["one to a group", authenticated6Frame("2001:db8:1::2", "ff02::5", 443), "marked", "marked"],
    ["ARP for a neighbour", arpFrame("198.19.1.2", "198.19.1.9"), "passes", "passes"],
    ["ARP without an address", arpFrame("0.0.0.0", "198.19.1.2"), "passes", "passes"],
    ["ARP as the gateway", arpFrame("198.19.1.1", "198.19.1.9"), "no", "no"],
    ["ARP for another address of the host", arpFrame("198.19.1.2", "198.51.100.1"), "no", "no"],
    ["neither IP nor ARP", frame(0x88b5, [1, 2, 3, 4]), "no", "no"],
  ];
  const how = async (sent: Uint8Array): Promise<string> => {
    const before = marked();
    if (!(await passes(sent))) return "no";
    // The one that follows is marked, too.
    return marked() - before > 1 ? "marked" : "passes";
  };
  for (const [name, sent, judged, discovery] of cases)
    it(
      name,
      withTable(async (table) => {
        assert.equal(await passes(sent), true, "without us");
        for (const [linkLocalMay, expected] of [
          ["judged", judged],
          ["discovery", discovery],
        ] as const) {
          table.guard(port, { ...guard, linkLocalMay });
          assert.equal(await how(sent), expected, linkLocalMay);
        }
        table.open(port.index);
        assert.equal(await passes(sent), true, "opened again");
      }),
    );
});

describe("an offer in fragments", () => {
  const families = [
    ["198.19.1.2", "198.19.1.9", 67, 68],
    ["2001:db8:1::2", "2001:db8:1::9", 547, 546],
  ] as const;
  for (const [source, destination, server, client] of families)
    it(
      `goes on as something else, from ${source}`,
      withTable(async (table) => {
        const first = firstUdpFragment(source, destination, client, server);
        const disguised = hexOf(firstUdpFragment(source, destination, 9, 9));
        assert.equal(await passes(first), true, "without us");
        table.guard(port, guard);
        neighbour.read();
        box.send(first);
        const [arrived] = await until("what becomes of it", 2_000, () => {
          const frames = neighbour.read();
          return frames.length > 0 ? frames : undefined;
        });
        assert.equal(arrived, disguised);
        const other = firstUdpFragment(source, destination, 5_000);
        assert.equal(await passes(other), true, "to another port");
      }),
    );
});

test(
  "a port in quarantine is cut both ways, and says so as long as it is",
  withTable(async (table) => {
    const frames = [
      udpFrame("198.19.1.2", "198.19.1.9", 9),
      udpFrame("2001:db8:1::2", "2001:db8:1::9", 9),
      arpFrame("198.19.1.2", "198.19.1.9"),
      icmp6Frame(135, "fe80::1234"),
      frame(0x88b5, [1, 2, 3]),
    ];
    const arrive = async (): Promise<boolean[]> => {
      for (const wire of wires) wire.read();
      for (const wire of [box, neighbour]) for (const each of frames) wire.send(each);
      const last = udpFrame("198.19.1.9", "198.19.1.250", ++sentinels);
      neighbour.send(last);
      await until("the frame that follows", 2_000, () =>
        witness.read().includes(hexOf(last)) ? true : undefined,
      );
      const seen = new Set([...box.read(), ...neighbour.read()]);
      return frames.map((each) => seen.has(hexOf(each)));
    };
    assert.deepEqual(
      await arrive(),
      frames.map(() => true),
    );
    assert.equal(table.cutOf(port.index), "none");
    table.guard(port, guard);
    table.cut(port, true);
    assert.equal(table.cutOf(port.index), "whole");
    assert.deepEqual(
      await arrive(),
      frames.map(() => false),
    );
    table.cut(port, false);
    assert.equal(table.cutOf(port.index), "none");
    assert.equal(await passes(frames[0] ?? assert.fail()), true);
    assert.equal(await passes(frames[1] ?? assert.fail(), neighbour, box), true);
  }),
);

test("who comes later takes the table over, and nothing is open in between", async () => {
  const first = openPortTable();
  first.guard(port, guard);
  first.cut(port, true);
  first.close();
  const forged = udpFrame("198.19.1.3", "198.19.1.9", 9);
  const second = openPortTable();
  assert.equal(second.cutOf(port.index), "whole");
  second.cut(port, false);
  assert.equal(await passes(forged), false);
  const other = { index: indexOf("p-neighbour"), name: "p-neighbour" };
  second.guard(other, guard);
  assert.equal(await passes(forged, neighbour, box), false);
  second.open(other.index);
  second.guard(port, { ...guard, senders: [...guard.senders, "198.19.1.3" as IpAddress] });
  assert.equal(await passes(forged), true);
  second.retain((index) => index !== port.index);
  assert.doesNotMatch(run("nft", "list", "table", "netdev", "dockerwall"), /chain/);
  second.close();
  removePortTable();
});

const aboutWithheld = [
  udpFrame("198.19.1.77", "198.19.1.9", 9),
  arpFrame("198.19.1.77", "198.19.1.9"),
  udpFrame("2001:db8:1::2", "2001:db8:1::9", 9),
  icmp6Frame(136, "fe80::1234", "2001:db8:1::2"),
];
const aboutOthers = [
  udpFrame("198.19.1.2", "198.19.1.9", 9),
  arpFrame("198.19.1.2", "198.19.1.9"),
  udpFrame("fe80::1234", "ff02::1", 5353),
  icmp6Frame(136, "fe80::1234", "fe80::1234"),
];

test("who comes later knows what is let in, and closes some of it alone", async () => {
  const first = openPortTable();
  assert.deepEqual(first.inherited(), new Map());
  first.guard(port, guard);
  first.close();
  const second = openPortTable();
  const inherited = second.inherited();
  assert.deepEqual([...inherited.keys()], [port.index]);
  assert.deepEqual(inherited.get(port.index), new Set([...guard.senders, "::", ...guard.linkLocal]));
  const arrive = async (frames: readonly Uint8Array[]): Promise<boolean[]> => {
    const arrived: boolean[] = [];
    for (const each of frames) arrived.push(await passes(each));
    return arrived;
  };
  assert.deepEqual(await arrive(aboutWithheld), [true, true, true, true]);
  second.shut(port.index, ["198.19.1.77", "2001:db8:1::2"] as IpAddress[]);
  second.shut(port.index + 1, guard.senders);
  assert.deepEqual(await arrive(aboutWithheld), [false, false, false, false]);
  assert.deepEqual(await arrive(aboutOthers), [true, true, true, true]);
  const left = ["198.19.1.2", "198.19.3.2", "::", "fe80::1234"];
  assert.deepEqual([...(second.inherited().get(port.index) ?? [])].sort(), left.sort());
  second.guard(port, guard);
  assert.deepEqual(await arrive(aboutWithheld), [true, true, true, true]);
  second.remove();
  second.close();
});

/** Every transaction of nftables has one message of its own. */
function countSteps(work: () => void): number {
  const watch = openNetlink(NETLINK_NETFILTER, "the steps of nftables", NFTABLES_GROUP);
  try {
    work();
    let steps = 0;
    assert.equal(
      watch.receive(({ type }) => void (type === NEWGEN && steps++)),
      0,
    );
    return steps;
  } finally {
    watch.close();
  }
}

describe("many ports at once", () => {
  const names = Array.from({ length: 40 }, (_, index) => `p-many${index}`);
  for (const name of names) run("ip", "link", "add", name, "type", "bridge");
  const demands = names.map((name, index) => {
    const senders = [`198.19.2.${index + 1}` as IpAddress];
    return { port: { index: indexOf(name), name }, guard: { ...guard, senders } };
  });
  const listed = (): string => run("nft", "list", "table", "netdev", "dockerwall");
  after(() => {
    for (const name of names) run("ip", "link", "del", name);
  });

  it(
    "are one step, with the rules of each as by itself",
    withTable(async (table) => {
      assert.equal(
        countSteps(() => assert.deepEqual([...table.guardAll(demands)], [])),
        1,
      );
      const together = listed();
      for (const { port } of demands) table.open(port.index);
      for (const { port, guard } of demands) table.guard(port, guard);
      assert.equal(listed(), together);
      // What is so already is no step.
      assert.equal(
        countSteps(() => table.guardAll(demands)),
        0,
      );
    }),
  );

  it("come in place of an earlier run's in one step", () => {
    const earlier = openPortTable();
    earlier.guardAll(demands);
    const before = listed();
    earlier.close();
    const table = openPortTable();
    assert.equal(
      countSteps(() => assert.deepEqual([...table.guardAll(demands)], [])),
      1,
    );
    assert.equal(listed(), before);
    table.remove();
    table.close();
  });

  it(
    "fail one by one: what the kernel refuses of one keeps back no other",
    withTable(async (table) => {
      // A device that is gone is refused by some kernels only.
      const bad = { port: { index: 9_999, name: "a-name-too-long-for-a-device" }, guard };
      const refusals = table.guardAll([...demands.slice(0, 20), bad, ...demands.slice(20)]);
      assert.deepEqual([...refusals.keys()], [9_999]);
      assert.match(String(refusals.get(9_999)), /the kernel refused the chains of a port/);
      const text = listed();
      for (const { port } of demands) assert.match(text, new RegExp(`chain guard-${port.index} `));
      assert.doesNotMatch(text, /guard-9999 /);
      // The table knows of them: nothing is written again.
      assert.equal(
        countSteps(() => table.guardAll(demands)),
        0,
      );
    }),
  );

  it(
    "are several steps where they have very many rules",
    withTable(async (table) => {
      const senders = Array.from({ length: 64 }, (_, index) => `198.19.4.${index + 1}` as IpAddress);
      const large = demands.map(({ port }) => ({ port, guard: { ...guard, senders } }));
      const steps = countSteps(() => assert.deepEqual([...table.guardAll(large)], []));
      assert.ok(steps > 1 && steps < 10, `${steps} steps`);
    }),
  );
});

test(
  "another device of that name inherits nothing",
  withTable(async (table) => {
    run("ip", "link", "add", "p-gone", "type", "veth", "peer", "name", "p-other");
    table.guard({ index: indexOf("p-gone"), name: "p-gone" }, { ...guard, senders: [] });
    table.cut({ index: indexOf("p-gone"), name: "p-gone" }, true);
    const old = indexOf("p-gone");
    run("ip", "link", "del", "p-gone");
    const late = createNamespace("late");
    run("ip", "link", "add", "p-gone", "type", "veth", "peer", "name", "eth0", "netns", "late");
    run("ip", "link", "set", "p-gone", "master", "br-app", "up");
    late.run("ip", "link", "set", "eth0", "up");
    const wire = new Wire(late, "eth0");
    assert.equal(await passes(udpFrame("198.19.1.3", "198.19.1.9", 9), wire), true);
    // Its own chains come in place of those, whichever of them the kernel has kept.
    const device = { index: indexOf("p-gone"), name: "p-gone" };
    table.guard(device, guard);
    table.retain((index) => index !== old);
    assert.equal(await passes(udpFrame("198.19.1.3", "198.19.1.9", 9), wire), false);
    wire.close();
    run("ip", "link", "del", "p-gone");
  }),
);

test(
  "a port that gets another name keeps its guard",
  withTable(async (table) => {
    table.guard(port, guard);
    const forged = udpFrame("198.19.1.3", "198.19.1.9", 9);
    assert.equal(await passes(forged), false);
    run("ip", "link", "set", "p-box", "name", "p-renamed");
    table.guard({ ...port, name: "p-renamed" }, guard);
    assert.equal(await passes(forged), false);
    run("ip", "link", "set", "p-renamed", "name", "p-box");
    table.guard(port, guard);
    assert.equal(await passes(forged), false);
  }),
);

test(
  "nobody takes away what the kernel keeps for us",
  withTable(async (table) => {
    table.guard(port, guard);
    const listed = run("nft", "list", "table", "netdev", "dockerwall");
    run("nft", "flush", "ruleset");
    table.heal();
    assert.equal(run("nft", "list", "table", "netdev", "dockerwall"), listed);
    assert.throws(() => run("nft", "delete", "table", "netdev", "dockerwall"), /not permitted/);
  }),
);

for (const [what, cut, ...command] of [
  ["all of it", "none", "delete", "table", "netdev", "dockerwall"],
  ["a chain", "partly", "delete", "chain", "netdev", "dockerwall", `cut-${port.index}`],
  ["the rules of a chain", "whole", "flush", "chain", "netdev", "dockerwall", `guard-${port.index}`],
] as const)
  test(`where the kernel keeps nothing, ${what} is put back`, async () => {
    const table = openPortTable("shared");
    table.guard(port, guard);
    table.cut(port, true);
    const lines = (): string[] => run("nft", "list", "table", "netdev", "dockerwall").split("\n").sort();
    const listed = lines();
    run("nft", ...command);
    assert.equal(table.cutOf(port.index), cut);
    table.heal();
    assert.deepEqual(lines(), listed);
    assert.equal(table.cutOf(port.index), "whole");
    table.remove();
    table.close();
  });

test("where the kernel cannot hang a chain on what goes out, a port that is cut is told to be cut one way", (t) => {
  const { request } = NetlinkSocket.prototype;
  t.mock.method(NetlinkSocket.prototype, "request", function (this: NetlinkSocket, what: string) {
    if (Buffer.from(this.writer.bytes).includes("cut-out-"))
      throw new NetlinkError(what, 0, {
        errno: constants.errno.EOPNOTSUPP,
        hint: "",
        echo: new Uint8Array(),
      });
    request.call(this, what);
  });
  const table = openPortTable();
  table.cut(port, true);
  assert.equal(table.cutOf(port.index), "sends-nothing");
  table.cut(port, false);
  assert.equal(table.cutOf(port.index), "none");
  table.remove();
  table.close();
});

test("a probe leaves nothing behind", () => {
  assert.equal(probePortTable(), undefined);
});
