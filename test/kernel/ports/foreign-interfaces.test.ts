// Interfaces that a hand has moved into the sandbox of a guarded container, shown by what arrives at their other ends:
// nothing leaves by them, and it is told, unless the container's label accepts them. What the engine or the container
// itself has made goes on as before.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Container } from "../../../src/core/model/topology.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { until } from "../../support/lab/command.ts";
import { closed, makeLan, moveIn, open, sendsOn, type Tries, tries } from "../../support/moved-in.ts";
import { createNamespace, enterNamespaces, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  type Plane,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

makeBridges();
makeLan();
const wall = await raiseWall();
after(() => wall.remove());

describe("an interface that was moved into a sandbox", () => {
  let tell: Plane;
  const endings: (() => unknown)[] = [];
  before(async () => {
    tell = await startPlane({ after: (work) => void endings.push(work as () => unknown) });
    tell.plane.holdUnsettled();
  });
  after(async () => {
    for (const end of endings) await end();
  });
  let number = 1;
  beforeEach(() => {
    number += 1;
  });

  /** Tells that the engine has listed its networks and containers just now, and has all that it tells of. */
  const list = (): void => tell.plane.tellReadings({ listedAtMs: monotonicMs(), readAtMs: new Map() });
  const contain = async (
    name: string,
    { isOpen = false, ...more }: Partial<Container> & { readonly isOpen?: boolean } = {},
  ): Promise<readonly [TestNamespace, Container]> => {
    const box = createNamespace(name);
    const address = `198.19.${isOpen ? 3 : 1}.${number + 10}`;
    join(box, "eth0", `${address}/24`);
    const container = { ...containerOf(name, name, [isOpen ? plain : app, address]), ...more };
    await post(tell.plane, [container]);
    list();
    return [box, container];
  };
  const told = (name: string): string | undefined =>
    tell.foreign().find((sentence) => sentence.includes(`"${name}"`));
  const saysOf = (name: string): Promise<string> =>
    until(`what is told of ${name}`, 5_000, () => {
      list();
      return told(name);
    });
  const saysNothing = (name: string): Promise<true> =>
    until(`nothing to be told of ${name}`, 5_000, () => (told(name) === undefined ? true : undefined));
  const comesTo = (what: string, work: () => Tries, wanted: Tries): Promise<true> =>
    until(what, 5_000, () => (JSON.stringify(work()) === JSON.stringify(wanted) ? true : undefined));

  it("reaches where it leads from an open container: the control", async () => {
    const [box] = await contain("control", { isOpen: true });
    const address = moveIn(box, "mv0", "macvlan");
    await comesTo("its packets", () => tries(box, "mv0", address), open);
    list();
    assert.equal(told("control"), undefined);
  });

  for (const [name, kind, hazards] of [
    ["web1", "macvlan", []],
    ["web2", "macvlan", ["net-admin"]],
    ["web3", "veth to a bridge", []],
    ["web4", "veth to a bridge", ["net-admin"]],
    ["web5", "veth to a namespace", []],
  ] as const)
    it(`is closed and told: ${[kind, ...hazards].join(", ")}; and no longer told when it goes`, async () => {
      const [box] = await contain(name, { hazards });
      const address = moveIn(box, "eth9", kind);
      await comesTo("its end", () => tries(box, "eth9", address), closed);
      const [type = ""] = kind.split(" ");
      assert.match(
        await saysOf(name),
        new RegExp(`eth9 \\(${type}\\): nothing leaves by it; .*=foreign-interface`),
      );
      assert.deepEqual(tries(box, "eth9", address), closed);
      box.run("ip", "link", "delete", "eth9");
      await saysNothing(name);
    });

  it("is open, and not told, where the label accepts it, from then on", async () => {
    const [box, container] = await contain("meant");
    const address = moveIn(box, "eth9", "macvlan");
    await saysOf("meant");
    assert.deepEqual(tries(box, "eth9", address), closed);
    const labels = { "dockerwall.accept": "foreign-interface" };
    await post(tell.plane, [{ ...container, labels }]);
    await saysNothing("meant");
    assert.deepEqual(tries(box, "eth9", address), open);
    await post(tell.plane, [container]);
    await saysOf("meant");
    assert.deepEqual(tries(box, "eth9", address), closed);
  });

  it("is open where it is how the container is on a network of the engine of another kind", async () => {
    const [box, container] = await contain("member");
    const address = moveIn(box, "eth9", "macvlan");
    const endpoint = containerOf("member", "member", [{ ...app, id: "elsewhere" }, address]).endpoints;
    await post(tell.plane, [{ ...container, endpoints: [...container.endpoints, ...endpoint] }]);
    list();
    await comesTo("its packets", () => tries(box, "eth9", address), open);
    assert.equal(told("member"), undefined);
  });

  it("is another matter than one that a container with NET_ADMIN has made itself: nobody else's tunnel is open", async () => {
    const sends = (box: TestNamespace): boolean =>
      spawnSync("ip", ["netns", "exec", box.name, "bash", "-c", "echo > /dev/udp/10.8.0.1/9"]).status === 0;
    const makeTunnel = ({ run: inside }: TestNamespace): void => {
      inside("ip", "tuntap", "add", "tun0", "mode", "tun");
      inside("ip", "address", "add", "10.8.0.2/24", "dev", "tun0");
      inside("ip", "link", "set", "tun0", "up");
    };
    const [vpn] = await contain("vpn", { hazards: ["net-admin"] });
    makeTunnel(vpn);
    await until("what it sends by its tunnel", 5_000, () => (sends(vpn) ? true : undefined));
    list();
    assert.equal(told("vpn"), undefined);
    const [plainBox] = await contain("tunnelled");
    makeTunnel(plainBox);
    assert.match(await saysOf("tunnelled"), /tun0 \(tun\)/);
    assert.equal(sends(plainBox), false);
  });

  it("is closed to what an engine inside forwards, whose own pairs are not", async () => {
    const [box, container] = await contain("nesting", { hazards: ["privileged"] });
    const inner = createNamespace("inner");
    box.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "in1", "netns", "inner");
    for (const [{ run: within }, device, host] of [
      [box, "in0", 1],
      [inner, "in1", 2],
    ] as const) {
      within("ip", "address", "add", `10.7.0.${host}/24`, "dev", device);
      within("ip", "link", "set", device, "up");
    }
    inner.run("ip", "route", "add", "default", "via", "10.7.0.1");
    box.run("bash", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    moveIn(box, "eth9", "macvlan");
    assert.match(await saysOf("nesting"), /engine, eth9 \(macvlan\):/);
    assert.equal(sendsOn(inner), false);
    await post(tell.plane, [{ ...container, labels: { "dockerwall.accept": "foreign-interface" } }]);
    await saysNothing("nesting");
    assert.equal(sendsOn(inner), true);
  });

  it("is closed no longer when the sandboxes are given back", async () => {
    const [box] = await contain("given");
    const address = moveIn(box, "eth9", "macvlan");
    await saysOf("given");
    assert.deepEqual(tries(box, "eth9", address), closed);
    await tell.plane.releaseAll();
    assert.deepEqual(tries(box, "eth9", address), open);
  });
});
