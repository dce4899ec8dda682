// The host's table of neighbours is one for all its networks, in each family. A guarded container that sends under the
// bridge's MAC for unused addresses of its own network has the host look for none of them: shown by that table, with the
// real rules and the real data plane. It is few addresses at a time, as the rest of the machine needs the table too.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { addressBytes, type IpAddress } from "../../../src/core/model/address.ts";
import {
  arpFrame,
  hexOf,
  icmp6Frame,
  indexOf,
  toAddress6,
  toMac,
  udpFrame,
  Wire,
} from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

for (const setting of ["ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1", "ipv6.conf.default.accept_dad=0"])
  run("sysctl", "-qw", `net.${setting}`);
makeBridges();
for (const [bridge, net] of [
  ["br-app", 1],
  ["br-plain", 3],
])
  run("ip", "address", "add", `2001:db8:${net}::1/64`, "dev", `${bridge}`, "nodad");
const wall = await raiseWall();
after(() => wall.remove());
const { plane } = await startPlane({ after: (end) => after(end as () => Promise<void>) });

/** A container's end of a link, on the network of this number. */
interface End {
  readonly wire: Wire;
  readonly bridge: string;
  readonly net: number;
  readonly host: number;
  readonly linkLocal: string;
}

function boxOf(name: string, host: number, ...nets: readonly number[]): readonly End[] {
  const box = createNamespace(name);
  after(() => run("ip", "netns", "del", name));
  box.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  return nets.map((net) => {
    const device = `eth${net}`;
    join(box, device, `198.19.${net}.${host}/24`, `2001:db8:${net}::${host}/64`);
    const bridge = net === 1 ? "br-app" : "br-plain";
    return { wire: new Wire(box, device), bridge, net, host, linkLocal: linkLocalOf(box, device) };
  });
}

function linkLocalOf(box: TestNamespace, device: string): string {
  const shown = box.run("ip", "-6", "-o", "address", "show", "dev", device, "scope", "link");
  return /(fe80:\S+)\//.exec(shown)?.[1] ?? assert.fail(shown);
}

const [web = assert.fail(), webPlain = assert.fail()] = boxOf("web", 2, 1, 3);
const [db = assert.fail()] = boxOf("db", 3, 1);
const [free = assert.fail()] = boxOf("free", 9, 3);
await post(plane, [
  containerOf("web", "web", [app, "198.19.1.2"], [app, "2001:db8:1::2"], [plain, "198.19.3.2"]),
  containerOf("db", "db", [app, "198.19.1.3"], [app, "2001:db8:1::3"]),
  containerOf("free", "free", [plain, "198.19.3.9"]),
]);
const guards = ["web-eth1", "web-eth3", "db-eth1"].map((port) => `guard-${indexOf(port)}`);
await until("the guards of ports, with their link-local addresses", 5_000, () => {
  const table = run("nft", "list", "table", "netdev", "dockerwall");
  const all = [...guards, web.linkLocal, webPlain.linkLocal, db.linkLocal];
  return all.every((each) => table.includes(each)) ? true : undefined;
});

const macOf = (device: string): string =>
  /ether (\S+)/.exec(run("ip", "-o", "link", "show", "dev", device))?.[1] ?? assert.fail(device);

/** Waits until the host has answered what was sent after all else. */
async function processed({ wire, net, host }: End): Promise<void> {
  wire.read();
  wire.send(arpFrame(`198.19.${net}.${host}`, `198.19.${net}.1`));
  const answer = hexOf(Uint8Array.of(8, 6, 0, 1, 8, 0, 6, 4, 0, 2));
  await until("the host's answer", 2_000, () =>
    wire.read().some((frame) => frame.slice(24).startsWith(answer)) ? true : undefined,
  );
}

/** The entries that the host has for unused addresses of a bridge's network. */
function entriesOf(bridge: string): readonly string[] {
  return [4, 6].flatMap((family) =>
    run("ip", `-${family}`, "neigh", "show", "dev", bridge, "nud", "all")
      .split("\n")
      .filter((line) => /^198\.19\.\d\.1\d\d |^\S*::1:\w+ /.test(line)),
  );
}

const count = 30;

/** How many there are after so many frames, each for another address. */
async function entriesAfter(end: End, bridge: string, frameOf: (n: number) => Uint8Array): Promise<number> {
  run("ip", "neigh", "flush", "dev", bridge, "nud", "all");
  for (let n = 0; n < count; n++) end.wire.send(frameOf(n));
  await processed(end);
  return entriesOf(bridge).length;
}

type Sent = (end: End, n: number) => Uint8Array;
const kinds: readonly (readonly [name: string, sent: Sent])[] = [
  ["IPv4", ({ net, host }, n) => udpFrame(`198.19.${net}.${host}`, `198.19.${net}.${100 + n}`, 9)],
  ["IPv6", ({ net, host }, n) => udpFrame(`2001:db8:${net}::${host}`, `2001:db8:${net}::1:${n}`, 9)],
  ["link-local IPv6", ({ linkLocal }, n) => udpFrame(linkLocal, `fe80::1:${n}`, 9)],
  ["IPv6 to link-local", ({ net, host }, n) => udpFrame(`2001:db8:${net}::${host}`, `fe80::1:${n}`, 9)],
  [
    "solicitations to addresses",
    ({ net, linkLocal }, n) =>
      toAddress6(`2001:db8:${net}::1:${n}`, icmp6Frame(135, linkLocal, `2001:db8:${net}::1:${n}`)),
  ],
  [
    "solicitations from its address",
    ({ net, host }, n) =>
      toAddress6(
        `2001:db8:${net}::1:${n}`,
        icmp6Frame(135, `2001:db8:${net}::${host}`, `2001:db8:${net}::1:${n}`),
      ),
  ],
  [
    "solicitations to link-local addresses",
    ({ linkLocal }, n) => toAddress6(`fe80::1:${n}`, icmp6Frame(135, linkLocal, `fe80::1:${n}`)),
  ],
];
const ends = [
  ["on its guarded network", web],
  ["on a second one that is open", webPlain],
] as const;

const showBridged = (filtered: number): void => {
  for (const family of ["iptables", "ip6tables"])
    run("sysctl", "-qew", `net.bridge.bridge-nf-call-${family}=${filtered}`);
};

for (const filtered of [0, 1])
  describe(`where iptables sees ${filtered === 1 ? "bridged packets" : "no bridged packets"}`, () => {
    for (const [name, sent] of kinds) {
      it(`${name}: the host looks for all neighbours of a container that is not guarded`, async () => {
        showBridged(filtered);
        const mac = macOf(free.bridge);
        assert.equal(await entriesAfter(free, free.bridge, (n) => toMac(mac, sent(free, n))), count);
      });
      for (const [where, end] of ends)
        for (const whose of [end.bridge, `web-eth${end.net}`])
          it(`${name}: and for none of a guarded one ${where}, under the MAC of ${whose}`, async () => {
            showBridged(filtered);
            const mac = macOf(whose);
            assert.equal(await entriesAfter(end, end.bridge, (n) => toMac(mac, sent(end, n))), 0);
          });
    }
  });

describe("what else could fill the table", () => {
  const arp: Sent = ({ net }, n) => arpFrame(`198.19.${net}.${100 + n}`, `198.19.${net}.1`);
  const toHost: Sent = ({ net, bridge }, n) =>
    toMac(macOf(bridge), udpFrame(`198.19.${net}.${100 + n}`, `198.19.${net}.1`, 9));
  for (const [name, sent] of [
    ["questions for the host's MAC from addresses that it does not have", arp],
    ["what the host answers to such addresses", toHost],
  ] as const)
    it(`${name}`, async () => {
      assert.equal(await entriesAfter(free, free.bridge, (n) => sent(free, n)), count);
      for (const [, end] of ends) assert.equal(await entriesAfter(end, end.bridge, (n) => sent(end, n)), 0);
    });

  const others: readonly (readonly [name: string, sent: Sent])[] = [
    ["IPv4", ({ net, host }, n) => udpFrame(`198.19.${net}.${host}`, `198.19.${4 - net}.${100 + n}`, 9)],
    ["IPv6", ({ net, host }, n) => udpFrame(`2001:db8:${net}::${host}`, `2001:db8:${4 - net}::1:${n}`, 9)],
  ];
  for (const [name, sent] of others)
    it(`${name} for addresses of another network, which is denied before the host looks for them`, async () => {
      const entries = async (end: End, bridge: string): Promise<number> => {
        const mac = macOf(end.bridge);
        return await entriesAfter(end, bridge, (n) => toMac(mac, sent(end, n)));
      };
      assert.equal(await entries(web, "br-plain"), 0);
      assert.equal(await entries(webPlain, "br-app"), 0);
      // From an open network to a guarded one only published ports lead.
      assert.equal(await entries(free, "br-app"), 0);
      assert.equal(await entries(db, "br-plain"), 0);
      const tools = ["iptables-nft", "ip6tables-nft"];
      for (const tool of tools) run(tool, "-t", "mangle", "-I", "FORWARD", "-j", "ACCEPT");
      try {
        assert.equal(await entries(db, "br-plain"), count, "without the rules");
      } finally {
        for (const tool of tools) run(tool, "-t", "mangle", "-D", "FORWARD", "-j", "ACCEPT");
      }
    });
});

describe("what goes on to work", () => {
  const familyTools = [
    ["IPv4", "iptables-nft", "198.19.1."],
    ["IPv6", "ip6tables-nft", "2001:db8:1::"],
  ] as const;
  for (const filtered of [0, 1])
    for (const [family, tool, prefix] of familyTools)
      it(`a published port of a neighbour by the gateway's address, ${family}, bridged packets seen: ${filtered}`, async () => {
        showBridged(filtered);
        const target = family === "IPv4" ? `${prefix}3:9` : `[${prefix}3]:9`;
        const rule = ["-d", `${prefix}1`, "-p", "udp", "--dport", "8080", "-j", "DNAT", "--to", target];
        const arrived = [`${prefix}2`, `${prefix}3`]
          .map((each) => hexOf(addressBytes(each as IpAddress)))
          .join("");
        run(tool, "-t", "nat", "-I", "PREROUTING", ...rule);
        try {
          db.wire.read();
          run("ip", "netns", "exec", "web", "bash", "-c", `echo > /dev/udp/${prefix}1/8080`);
          await until("what comes to the neighbour", 3_000, () =>
            db.wire.read().some((frame) => frame.includes(arrived)) ? true : undefined,
          );
        } finally {
          run(tool, "-t", "nat", "-D", "PREROUTING", ...rule);
        }
      });

  for (const [where, { net, bridge }] of ends)
    for (const target of ["global", "link"])
      it(`the gateway's own answers to who asks it alone, ${where}, scope ${target}`, async () => {
        const shown = run("ip", "-6", "-o", "address", "show", "dev", bridge, "scope", target);
        const gateway = /inet6 (\S+)\//.exec(shown)?.[1] ?? assert.fail(shown);
        const asks = [
          "ip",
          "netns",
          "exec",
          "web",
          "ip",
          "neigh",
          "replace",
          gateway,
          "dev",
          `eth${net}`,
        ] as const;
        run(...asks, "lladdr", macOf(bridge), "nud", "probe");
        await until("the answer", 4_000, () =>
          run("ip", "netns", "exec", "web", "ip", "neigh", "show", gateway).includes("REACHABLE")
            ? true
            : undefined,
        );
      });
});

it("a bridge that gets another MAC", async () => {
  const mac = "02:00:00:00:77:01";
  run("ip", "link", "set", "br-app", "address", mac);
  // As nft prints it, or as it prints what it does not understand.
  const inChain = /02:00:00:00:77:01|0x0?20000007701/;
  await until("the chain of the port", 5_000, () =>
    inChain.test(run("nft", "list", "chain", "netdev", "dockerwall", `guard-${indexOf("web-eth1")}`))
      ? true
      : undefined,
  );
  for (const [name, sent] of kinds)
    assert.equal(await entriesAfter(web, "br-app", (n) => toMac(mac, sent(web, n))), 0, name);
});
