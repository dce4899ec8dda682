// What comes from ports that are not settled waits, shown by packets that the host takes in.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, describe, it, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { unsettledMark, unsettledQueueNumber } from "../../src/core/firewall/names.ts";
import { desiredRules } from "../../src/core/firewall/ruleset.ts";
import type { QueuedPacket } from "../../src/core/queued-packet.ts";
import { openQueue, type PacketQueue } from "../../src/edge/kernel/flows/queue.ts";
import { createSets } from "../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../src/edge/kernel/iptables/iptables.ts";
import {
  openSettledPorts,
  probeSettledPorts,
  type SettledPorts,
} from "../../src/edge/kernel/nftables/settled-ports.ts";
import { indexOf } from "../support/frames.ts";
import { until } from "../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

run("ip", "link", "add", "br-plain", "up", "type", "bridge");
run("ip", "address", "add", "198.19.3.1/24", "dev", "br-plain");
run("ip", "address", "add", "2001:db8:3::1/64", "dev", "br-plain", "nodad");
const plug = (name: string, port: string, host: number) => {
  const box = createNamespace(name);
  run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", port, "master", "br-plain", "up");
  box.run("ip", "address", "add", `198.19.3.${host}/24`, "dev", "eth0");
  box.run("ip", "address", "add", `2001:db8:3::${host}/64`, "dev", "eth0", "nodad");
  box.run("ip", "link", "set", "eth0", "up");
  return { box, index: indexOf(port) };
};
const one = plug("one", "veth1", 2);
const two = plug("two", "veth2", 3);
const other = plug("other", "tap3", 4);

const heard: string[] = [];
for (const [type, address] of [
  ["udp4", "198.19.3.1"],
  ["udp6", "2001:db8:3::1"],
] as const) {
  const socket = createSocket(type).on("message", (message) => heard.push(String(message).trim()));
  socket.bind(9, address);
  await once(socket, "listening");
  socket.unref();
}

const queueNumber = 75;
const openOwn = (): PacketQueue =>
  openQueue({ number: unsettledQueueNumber(queueNumber), maxLength: 64, copyBytes: 32 });
createSets(openKernelSets());
// What is marked when it has passed the rules.
run(
  "nft",
  `add table inet seen
   add chain inet seen in { type filter hook prerouting priority -200; }
   add rule inet seen in udp dport 9 meta mark != 0 counter comment marked`,
);
const marked = (): number =>
  Number(/packets (\d+)/.exec(run("nft", "list", "chain", "inet", "seen", "in"))?.[1]);
const portOf = (mark: number): number => (mark ^ unsettledMark) >>> 0;
/** Its kernel looks for routers and joins groups besides. */
const familyOf = ({ payload }: QueuedPacket): number => (payload[0] ?? 0) >> 4;
const isUdp = (packet: QueuedPacket): boolean => packet.payload[familyOf(packet) === 4 ? 9 : 6] === 17;
const send = ({ box }: typeof one, text: string, address = "198.19.3.1"): void =>
  void box.run("bash", "-c", `echo ${text} > /dev/udp/${address}/9`);
const hears = (text: string): Promise<true> =>
  until(text, 2_000, () => (heard.includes(text) ? true : undefined));

for (const [backend, bridged] of [
  ["nft", "0"],
  ["nft", "1"],
  ["legacy", "1"],
] as const)
  describe(`with iptables-${backend} and br_netfilter ${bridged}`, () => {
    let markedBefore = 0;
    before(async () => {
      markedBefore = marked();
      for (const family of [4, 6] as const)
        await createIptables(backend).apply(
          family,
          desiredRules({ family, dnsPort: 5053, queueNumber, hold: false, demandSender: true }),
        );
    });
    after(async () => {
      for (const family of [4, 6] as const) await createIptables(backend).apply(family, []);
      // Alone what came when nobody listened, and the table was there still, has kept its mark.
      assert.equal(marked() - markedBefore, 1);
    });
    let ports: SettledPorts;
    let queue: PacketQueue;
    beforeEach(() => {
      for (const family of ["iptables", "ip6tables"])
        run("sh", "-c", `echo ${bridged} > /proc/sys/net/bridge/bridge-nf-call-${family}`);
      heard.length = 0;
      ports = openSettledPorts();
      queue = openOwn();
    });
    afterEach(() => {
      queue.close();
      ports.close();
    });
    const waits = async (from: typeof one): Promise<QueuedPacket[]> => {
      const packets: QueuedPacket[] = [];
      await until("what waits", 2_000, () => {
        packets.push(...queue.receive());
        return packets.some((packet) => portOf(packet.mark) === from.index && isUdp(packet))
          ? true
          : undefined;
      });
      return packets;
    };

    for (const [address, family] of [
      ["198.19.3.1", 4],
      ["2001:db8:3::1", 6],
    ] as const)
      it(`holds what a newcomer sends by IPv${family}, and knows its port`, async () => {
        send(two, "before", address);
        await hears("before");
        ports.settle([one.index]);
        ports.stayAwake(60_000);
        send(one, "settled", address);
        await hears("settled");
        send(two, "held", address);
        const packets = (await waits(two)).filter(({ mark }) => portOf(mark) === two.index);
        assert.ok(packets.some((packet) => familyOf(packet) === family && isUdp(packet)));
        await sleep(50);
        assert.equal(heard.includes("held"), false);
        for (const { id } of packets) queue.verdict(id, "repeat", 0);
        await hears("held");
        send(two, "dropped", address);
        for (const { id } of await waits(two)) queue.verdict(id, "drop");
        ports.settle([two.index]);
        send(two, "then", address);
        await hears("then");
        assert.equal(heard.includes("dropped"), false);
      });

    it("leaves other ports than the engine's alone", async () => {
      ports.stayAwake(60_000);
      send(other, "tap");
      await hears("tap");
    });

    it("is passed by when nobody listens, and when who listens sleeps", async () => {
      ports.stayAwake(3_000);
      send(two, "waits");
      await waits(two);
      await sleep(3_100);
      send(two, "sleeps");
      await hears("sleeps");
      ports.stayAwake(60_000);
      ports.stayAwake(60_000);
      send(two, "waits again");
      await waits(two);
      queue.close();
      send(two, "nobody");
      await hears("nobody");
      assert.deepEqual(heard, ["sleeps", "nobody"]);
      queue = openOwn();
    });

    it("drops what finds no room", async () => {
      ports.stayAwake(60_000);
      two.box.run("bash", "-c", "for i in {1..100}; do echo flood > /dev/udp/198.19.3.1/9; done");
      let count = 0;
      for (let packets = queue.receive(); packets.length > 0; packets = queue.receive())
        count += packets.length;
      assert.equal(count, 64);
      await sleep(50);
      assert.deepEqual(heard, []);
    });

    it("holds again who is settled no more, and forgets ports that are gone", async () => {
      ports.stayAwake(60_000);
      ports.settle([one.index, two.index]);
      ports.unsettle([two.index]);
      send(two, "held");
      await waits(two);
      ports.retain((index) => index !== one.index);
      assert.equal(ports.has(one.index), false);
      send(one, "gone");
      await waits(one);
      assert.deepEqual(heard, []);
    });
  });

const awakeInKernel = (): string[] =>
  run("nft", "list", "set", "bridge", "dockerwall", "awake").match(/\bip6?\b(?= )/g) ?? [];
const tableHandle = (): string | undefined =>
  /table bridge dockerwall \{.*# handle (\d+)/.exec(
    run("nft", "-a", "list", "table", "bridge", "dockerwall"),
  )?.[1];

test("nobody else takes it away, and it goes with who made it", () => {
  const ports = openSettledPorts();
  ports.settle([one.index]);
  run("nft", "flush", "ruleset");
  assert.throws(() => run("nft", "delete", "table", "bridge", "dockerwall"), /not permitted/);
  assert.match(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /"veth1"/);
  ports.close();
  assert.doesNotMatch(run("nft", "list", "tables"), /bridge/);
});

test("what a run that was killed has left on an old kernel is replaced", () => {
  run("nft", "add table bridge dockerwall; add chain bridge dockerwall other");
  const ports = openSettledPorts();
  assert.doesNotMatch(run("nft", "list", "table", "bridge", "dockerwall"), /other/);
  ports.close();
});

test("where the kernel keeps nothing, it is put back", () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index]);
  const listed = run("nft", "list", "set", "bridge", "dockerwall", "settled");
  assert.match(listed, /"veth1"/);
  run("nft", "delete", "table", "bridge", "dockerwall");
  ports.heal();
  assert.equal(run("nft", "list", "set", "bridge", "dockerwall", "settled"), listed);
  run("nft", "delete", "table", "bridge", "dockerwall");
  ports.settle([two.index]);
  assert.match(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /"veth1", "veth2"/);
  ports.close();
});

test("it is put back with the time that is left to be awake", async () => {
  const ports = openSettledPorts("shared");
  const remove = (): string => run("nft", "delete", "table", "bridge", "dockerwall");
  remove();
  ports.stayAwake(60_000);
  assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
  for (const putBack of [() => ports.heal(), () => ports.settle([one.index])]) {
    remove();
    putBack();
    assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
    assert.match(run("nft", "list", "set", "bridge", "dockerwall", "awake"), /expires (1m|59s|5\ds)/);
  }
  ports.stayAwake(50);
  await until("its end", 2_000, () => (awakeInKernel().length === 0 ? true : undefined));
  remove();
  ports.heal();
  assert.deepEqual(awakeInKernel(), []);
  ports.close();
});

test("one that is not there counts as unsettled, and the table stays as it is", () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index, two.index]);
  ports.stayAwake(60_000);
  const handle = tableHandle();
  run("nft", "delete", "element", "bridge", "dockerwall", "settled", "{ veth1 }");
  ports.unsettle([one.index, two.index]);
  assert.doesNotMatch(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /veth/);
  assert.deepEqual([ports.has(one.index), ports.has(two.index)], [false, false]);
  assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
  assert.equal(tableHandle(), handle);
  ports.close();
});

test("there may be thousands of them", () => {
  const ports = openSettledPorts("shared");
  const many = Array.from({ length: 9_000 }, (_, at) => 100_000 + at);
  const inKernel = (): number =>
    run("nft", "list set bridge dockerwall settled").match(/\b10\d{4}\b/g)?.length ?? 0;
  ports.settle(many);
  assert.equal(inKernel(), many.length);
  run("nft", "delete table bridge dockerwall");
  ports.heal();
  assert.equal(inKernel(), many.length);
  ports.unsettle(many);
  assert.equal(inKernel(), 0);
  ports.close();
});

test("what the kernel refuses to unsettle is settled still, and is tried again", async () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index]);
  run("nft", "delete table bridge dockerwall");
  // Another program's, as long as that runs.
  const other = spawn("nft", ["-i"], { stdio: ["pipe", "ignore", "inherit"] });
  other.stdin.write("add table bridge dockerwall { flags owner; }\n");
  await until("the table of another", 5_000, () =>
    /bridge/.test(run("nft", "list tables")) ? true : undefined,
  );
  assert.throws(() => ports.unsettle([one.index]), /not permitted|EPERM/);
  assert.ok(ports.has(one.index));
  other.stdin.end();
  await once(other, "exit");
  ports.unsettle([one.index]);
  assert.ok(!ports.has(one.index));
  assert.doesNotMatch(run("nft", "list set bridge dockerwall settled"), /veth1/);
  ports.close();
});

test("a probe leaves nothing behind", () => {
  assert.equal(probeSettledPorts(), undefined);
  assert.doesNotMatch(run("nft", "list", "tables"), /bridge/);
});
