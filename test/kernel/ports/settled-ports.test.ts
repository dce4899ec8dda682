// What comes from ports that are not settled waits, shown by packets that the host takes in.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { unsettledMark, unsettledQueueNumber } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import type { QueuedPacket } from "../../../src/core/queued-packet.ts";
import { openQueue, type PacketQueue } from "../../../src/edge/kernel/flows/queue.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { openSettledPorts, type SettledPorts } from "../../../src/edge/kernel/nftables/host/settled-ports.ts";
import { indexOf } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

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
