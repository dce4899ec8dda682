// Kernel sets as we fill them and as the ipset tool shows them.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import type { SetSpec } from "../../../src/core/firewall/sets.ts";
import { type IpAddress, type Prefix, parseAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { isSetMissing, KernelSetError } from "../../../src/edge/kernel/ipset/error.ts";
import { type KernelSets, openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry, SetKey } from "../../../src/edge/kernel/ipset/message.ts";
import { flushSet } from "../../support/flush-set.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

let sets: KernelSets;

beforeEach(() => {
  sets = openKernelSets();
});

afterEach(() => {
  sets.close();
  run("ipset", "flush");
  run("ipset", "destroy");
});

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function pair(first: string, protocol: number, port: number, second: string): SetKey {
  return { kind: "ip-port-ip", first: address(first), protocol, port, second: address(second) };
}

/** The members of a set as the tool prints them, sorted. */
function members(name: string): string[] {
  const [, list = ""] = run("ipset", "list", name).split("Members:\n");
  return list.split("\n").filter(Boolean).sort();
}

const grant: SetSpec = {
  name: "grant",
  type: "hash:ip,port,ip",
  family: 4,
  timeoutSeconds: 0,
  counters: true,
  comments: true,
  hashSize: 1024,
  maxEntries: 8,
};

const shown: readonly {
  readonly spec: SetSpec;
  readonly entries: readonly SetEntry[];
  readonly members: readonly string[];
}[] = [
  {
    spec: grant,
    entries: [
      {
        key: pair("203.0.113.1", 6, 443, "198.51.100.2"),
        timeoutSeconds: 2_000_000,
        comment: "www.example.org ü",
      },
      { key: pair("203.0.113.1", 17, 53, "198.51.100.2"), timeoutSeconds: 0 },
      { key: pair("203.0.113.1", 1, 8 * 256, "198.51.100.2") },
      { key: pair("203.0.113.1", 47, 0, "198.51.100.2") },
    ],
    members: [
      "203.0.113.1,gre:0,198.51.100.2 timeout 0 packets 0 bytes 0",
      "203.0.113.1,icmp:echo-request,198.51.100.2 timeout 0 packets 0 bytes 0",
      '203.0.113.1,tcp:443,198.51.100.2 timeout N packets 0 bytes 0 comment "www.example.org ü"',
      "203.0.113.1,udp:53,198.51.100.2 timeout 0 packets 0 bytes 0",
    ],
  },
  {
    spec: { name: "six", type: "hash:ip,port,ip", family: 6, timeoutSeconds: 60 },
    entries: [{ key: pair("2001:db8::1", 6, 443, "2001:db8:1::") }],
    members: ["2001:db8::1,tcp:443,2001:db8:1:: timeout N"],
  },
  {
    spec: { name: "servers", type: "hash:ip,port,net", family: 4, comments: true },
    entries: [
      {
        key: {
          kind: "ip-port-net",
          first: address("203.0.113.9"),
          protocol: 17,
          port: 53,
          prefix: prefix("198.51.100.0/24"),
        },
        comment: "app",
      },
      {
        key: {
          kind: "ip-port-net",
          first: address("203.0.113.9"),
          protocol: 17,
          port: 53,
          prefix: prefix("198.51.100.7/32"),
          nomatch: true,
        },
      },
    ],
    members: ['203.0.113.9,udp:53,198.51.100.0/24 comment "app"', "203.0.113.9,udp:53,198.51.100.7 nomatch"],
  },
  {
    spec: { name: "servers6", type: "hash:ip,port,net", family: 6 },
    entries: [
      {
        key: {
          kind: "ip-port-net",
          first: address("2001:db8::9"),
          protocol: 6,
          port: 53,
          prefix: prefix("2001:db8:1::2"),
        },
      },
    ],
    members: ["2001:db8::9,tcp:53,2001:db8:1::2"],
  },
  {
    spec: { name: "bridges", type: "hash:net,iface", family: 4 },
    entries: [
      { key: { kind: "net-iface", prefix: prefix("0.0.0.0/0"), iface: "br-0123456789ab" } },
      { key: { kind: "net-iface", prefix: prefix("198.51.100.0/24"), iface: "br-1" } },
    ],
    members: ["0.0.0.0/0,br-0123456789ab", "198.51.100.0/24,br-1"],
  },
  {
    spec: { name: "bridges6", type: "hash:net,iface", family: 6 },
    entries: [{ key: { kind: "net-iface", prefix: prefix("::/0"), iface: "br-1" } }],
    members: ["::/0,br-1"],
  },
  {
    spec: { name: "ask", type: "hash:net", family: 4, timeoutSeconds: 0, comments: true },
    entries: [
      { key: { kind: "net", prefix: prefix("203.0.113.0/25") }, comment: "x" },
      { key: { kind: "net", prefix: prefix("203.0.113.200") } },
    ],
    members: ['203.0.113.0/25 timeout 0 comment "x"', "203.0.113.200 timeout 0"],
  },
  {
    spec: { name: "ask6", type: "hash:net", family: 6 },
    entries: [{ key: { kind: "net", prefix: prefix("2001:db8::/32") } }],
    members: ["2001:db8::/32"],
  },
];

for (const { spec, entries, members: expected } of shown) {
  test(`${spec.type} of IPv${spec.family}: what is added is listed, by the tool and by us`, () => {
    sets.create(spec);
    sets.add(spec.name, entries);
    assert.deepEqual(
      members(spec.name).map((line) => line.replace(/timeout [1-9][0-9]*/, "timeout N")),
      expected,
    );
    const listed = sets.list(spec.name);
    assert.deepEqual(sorted(listed.map(({ key }) => key)), sorted(entries.map(({ key }) => key)));
    for (const { key, comment, timeoutSeconds, packets } of listed) {
      const added = entries.find((entry) => JSON.stringify(entry.key) === JSON.stringify(key));
      assert.equal(comment, added?.comment);
      const wanted =
        spec.timeoutSeconds === undefined ? undefined : (added?.timeoutSeconds ?? spec.timeoutSeconds);
      assert.ok(
        timeoutSeconds === wanted || (wanted !== undefined && timeoutSeconds === wanted - 1),
        `${timeoutSeconds}`,
      );
      assert.equal(packets, spec.counters ? 0 : undefined);
    }
    sets.del(
      spec.name,
      listed.map(({ key }) => key),
    );
    assert.deepEqual(members(spec.name), []);
    sets.del(
      spec.name,
      listed.map(({ key }) => key),
    );
  });
}

function sorted(keys: readonly SetKey[]): string[] {
  return keys.map((key) => JSON.stringify(key)).sort();
}

test("a list of sets", () => {
  sets.create({ name: "chunk1", type: "hash:net,iface", family: 6 });
  sets.create({ name: "chunk2", type: "hash:net,iface", family: 6 });
  sets.create({ name: "all", type: "list:set", maxEntries: 2 });
  sets.create({ name: "all", type: "list:set", maxEntries: 2 });
  const [first, second] = [
    { key: { kind: "set", name: "chunk1" } },
    { key: { kind: "set", name: "chunk2" } },
  ] as const;
  sets.add("all", [first, second]);
  sets.add("all", [first]);
  assert.deepEqual(members("all"), ["chunk1", "chunk2"]);
  assert.deepEqual(
    sets.list("all").map(({ key }) => key),
    [first.key, second.key],
  );
  assert.deepEqual(sets.names().sort(), ["all", "chunk1", "chunk2"]);
  assert.throws(() => sets.destroy("chunk1"), { reason: "in-use" });
  assert.throws(() => sets.add("all", [{ key: { kind: "set", name: "nowhere" } }]), isSetMissing);
  sets.del("all", [first.key, first.key]);
  assert.deepEqual(members("all"), ["chunk2"]);
});

test("an entry that is added again gets the new timeout and comment and keeps its counters", () => {
  sets.create(grant);
  run(
    "ipset",
    "add",
    "grant",
    "203.0.113.1,tcp:443,198.51.100.2",
    "timeout",
    "500",
    "packets",
    "7",
    "bytes",
    "700",
    "comment",
    "old",
  );
  const key = pair("203.0.113.1", 6, 443, "198.51.100.2");
  sets.add("grant", [{ key, timeoutSeconds: 50, comment: "new" }]);
  const [entry] = sets.list("grant");
  assert.ok(entry?.timeoutSeconds === 50 || entry?.timeoutSeconds === 49);
  assert.deepEqual([entry.packets, entry.bytes, entry.comment], [7, 700, "new"]);
  sets.add("grant", [{ key }]);
  const [bare] = sets.list("grant");
  assert.deepEqual([bare?.timeoutSeconds, bare?.comment], [0, undefined]);
});

test("a datagram passes and is counted as soon as its entry is added", async () => {
  sets.create(grant);
  run(
    "iptables-nft",
    "-A",
    "INPUT",
    "-p",
    "udp",
    "-d",
    "127.0.0.9",
    "-m",
    "set",
    "!",
    "--match-set",
    "grant",
    "dst,dst,src",
    "-j",
    "DROP",
  );
  const [client, server] = [createSocket("udp4"), createSocket("udp4")];
  const arrived: string[] = [];
  server.on("message", (text) => arrived.push(String(text)));
  server.bind(5353, "127.0.0.9");
  await once(server, "listening");
  await new Promise<void>((resolve) => client.send("before", 5353, "127.0.0.9", () => resolve()));
  sets.add("grant", [{ key: pair("127.0.0.9", 17, 5353, "127.0.0.1"), timeoutSeconds: 60 }]);
  client.send("after", 5353, "127.0.0.9");
  await once(server, "message");
  client.close();
  server.close();
  assert.deepEqual(arrived, ["after"]);
  assert.deepEqual(
    sets.list("grant").map(({ packets, bytes }) => [packets, bytes]),
    [[1, 33]],
  );
  run("iptables-nft", "-F", "INPUT");
});

test("a full set is an error of its own, with the first entry that was not taken", () => {
  sets.create(grant);
  const entries = Array.from({ length: 200 }, (_, port) => ({
    key: pair("203.0.113.1", 6, port + 1, "198.51.100.2"),
  }));
  assert.throws(
    () => sets.add("grant", entries),
    (error) => error instanceof KernelSetError && error.reason === "full" && error.entryIndex === 8,
  );
  assert.equal(members("grant").length, 8);
  sets.add("grant", entries.slice(0, 8));
  const [first, , , , , , , , ninth] = entries.map(({ key }) => key);
  assert.deepEqual(
    [first, ninth].map((key) => key && sets.has("grant", key)),
    [true, false],
  );
  flushSet(sets, "grant");
  assert.deepEqual(members("grant"), []);
  assert.equal(first && sets.has("grant", first), false);
});

test("a bad entry in the third message of a batch is named, and those before it are in", () => {
  sets.create({ ...grant, maxEntries: 1000 });
  const entries: SetEntry[] = Array.from({ length: 200 }, (_, port) => ({
    key: pair("203.0.113.1", 6, port + 1, "198.51.100.2"),
  }));
  entries[150] = { key: pair("2001:db8::1", 6, 1, "2001:db8::2") };
  assert.throws(
    () => sets.add("grant", entries),
    (error) =>
      error instanceof KernelSetError && error.entryIndex === 150 && error.message.includes("2001:db8::1"),
  );
  assert.ok(members("grant").length >= 150);
});

test("a large batch goes in whole and comes back whole", () => {
  sets.create({ ...grant, name: "large", hashSize: 16_384, maxEntries: 100_000 });
  const entries = Array.from({ length: 20_000 }, (_, index) => ({
    key: pair(`203.0.${index >> 8}.${index & 255}`, 6, 443, "198.51.100.2"),
    timeoutSeconds: 1000,
    comment: "c".repeat(index % 256),
  }));
  sets.add("large", entries);
  const listed = sets.list("large");
  assert.equal(listed.length, entries.length);
  const comments = new Map(listed.map(({ key, comment }) => [JSON.stringify(key), comment]));
  for (const { key, comment } of entries) assert.equal(comments.get(JSON.stringify(key)) ?? "", comment);
  assert.throws(
    () => sets.add("large", [{ key: pair("203.0.113.1", 6, 1, "198.51.100.2"), comment: "c".repeat(256) }]),
    RangeError,
  );
});

test("creating is idempotent, and another set of that name is refused", () => {
  sets.create(grant);
  sets.create(grant);
  for (const other of [
    { ...grant, family: 6 as const },
    { ...grant, maxEntries: 9 },
    { ...grant, counters: false },
    { name: "grant", type: "hash:net" as const, family: 4 as const },
  ]) {
    assert.throws(() => sets.create(other), { code: "KERNEL_REFUSED", reason: "exists" });
  }
});

test("a set that is missing is an error of its own", () => {
  sets.create(grant);
  for (const attempt of [
    () => sets.list("nowhere"),
    () => sets.add("nowhere", [{ key: pair("203.0.113.1", 6, 1, "198.51.100.2") }]),
  ]) {
    assert.throws(attempt, isSetMissing);
  }
  sets.destroy("nowhere");
  assert.deepEqual(sets.names(), ["grant"]);
});
