// The control plane's hold on the kernel, with others at work on the same kernel: what they take away comes back.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { createWall, type Wall } from "../../../src/control/wall.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../src/core/model/topology.ts";
import { stayAwake } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { type KernelSets, openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import type { Backend } from "../../../src/edge/kernel/iptables/tools.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";

enterNamespaces(import.meta.url);

const bridge = "br-0123456789ab";
const network: Network = {
  id: "0".repeat(64),
  name: "app",
  driver: "bridge",
  bridge,
  subnets: ["198.19.1.0/24", "2001:db8:1::/64"].flatMap((text) => parsePrefix(text) ?? []),
  gateways: [],
  internal: false,
  labels: { "dockerwall.allow": "www.example.com 203.0.113.0/24:443" },
};
const topology: Topology = { networks: [network], containers: [] };

function wallOf(backend: Backend, sets: KernelSets): Wall {
  return createWall({
    sets,
    firewall: createFirewall(backend),
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    listBridges: () => [bridge],
    ...quietHost(),
  });
}

/** All of ours, without counters and in an order of its own. */
function state(backend: string): string {
  const text = [`iptables-${backend}-save`, `ip6tables-${backend}-save`].map((tool) => run(tool)).join("\n");
  const rules = text
    .split("\n")
    .filter((line) => line.includes("DOCKERWALL-") && line.startsWith("-A") && !line.includes("made-"));
  return [
    ...rules,
    ...run("ipset", "save")
      .replaceAll(/ initval \S+/g, "")
      .split("\n")
      .sort(),
  ].join("\n");
}

/** Asks a resolver on loopback; whether the question left. */
const asks = (): boolean =>
  spawnSync("bash", ["-c", "echo x >/dev/udp/127.0.0.1/53"], { stdio: "ignore" }).status === 0;

for (const unit of ["nft", "legacy"] as const) {
  it(`leaves what holds the questions of a starting engine until that one is read (${unit})`, async () => {
    const sets = openKernelSets();
    const wall = wallOf("nft", sets);
    wall.classify(topology);
    const heal = async (): Promise<void> => {
      await wall.applyRules();
      await wall.cleanOther();
    };
    const hold = (): void => {
      const tool = [`iptables-${unit}`, "-t", "mangle"];
      for (const rule of [
        "-N DOCKERWALL-ENGINE",
        "-A DOCKERWALL-ENGINE -p udp --dport 53 -j DROP",
        "-I OUTPUT -j DOCKERWALL-ENGINE",
      ])
        run(...(tool as [string]), ...rule.split(" "));
    };
    await heal();
    // A queue that nobody listens to is passed by, and with it the rest of its hook.
    stayAwake(sets);
    assert.equal(asks(), true);
    wall.spareQuestions(true);
    hold();
    assert.equal(asks(), false);
    await heal();
    assert.equal(asks(), false);
    // What is put right beside it does not take it along.
    run("iptables-nft", "-t", "mangle", "-D", "OUTPUT", "-j", "DOCKERWALL-OUTPUT");
    await heal();
    assert.match(run("iptables-nft", "-t", "mangle", "-S", "OUTPUT"), /-j DOCKERWALL-OUTPUT/);
    assert.equal(asks(), false);
    wall.spareQuestions(false);
    await heal();
    assert.equal(asks(), true);
    assert.doesNotMatch(run(`iptables-${unit}-save`), /DOCKERWALL-ENGINE/);
    // An engine that is read already has no questions to be held.
    hold();
    assert.equal(asks(), false);
    await heal();
    assert.equal(asks(), true);
    await wall.remove();
    sets.close();
  });
}

it("says what to do about a set that another version has made otherwise", () => {
  run("ipset", "create", "dockerwall-host4", "hash:net,port", "maxelem", "5");
  const sets = openKernelSets();
  assert.throws(
    () => wallOf("nft", sets),
    /set dockerwall-host4 is in the kernel already.*run dockerwall uninstall/,
  );
  destroySets(sets);
  sets.close();
});

it("leaves the tables of nft as they were, those of others and those that it made", async () => {
  run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "RETURN");
  // An empty table, with nothing in it that would tell whose it is.
  run("iptables-nft", "-t", "mangle", "-A", "FORWARD", "-j", "ACCEPT");
  run("iptables-nft", "-t", "mangle", "-D", "FORWARD", "-j", "ACCEPT");
  const was = run("nft", "list", "ruleset");
  assert.match(was, /table ip mangle/);
  const sets = openKernelSets();
  const wall = wallOf("nft", sets);
  wall.classify(topology);
  await wall.applyRules();
  await wall.applyRules();
  // Other software comes to use a table that was made for us.
  run("iptables-nft", "-t", "raw", "-A", "OUTPUT", "-j", "RETURN");
  await wall.remove();
  sets.close();
  assert.match(run("nft", "list", "ruleset"), /table ip raw/);
  run("iptables-nft", "-t", "raw", "-D", "OUTPUT", "-j", "RETURN");
  run("nft", "delete", "table", "ip", "raw");
  assert.equal(run("nft", "list", "ruleset"), was);
  assert.equal(run("ipset", "list", "-n"), "");
  run("nft", "flush", "ruleset");
});

it("names the rules of others that write its marks, in either variant", async () => {
  const sets = openKernelSets();
  const wall = wallOf("nft", sets);
  wall.classify(topology);
  await wall.applyRules();
  run("iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-j", "MARK", "--set-xmark", "0x1/0x1");
  assert.deepEqual(await wall.foreignMarks(), []);
  run("iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-j", "CONNMARK", "--restore-mark");
  run("ip6tables-legacy", "-t", "mangle", "-A", "OUTPUT", "-j", "CONNMARK", "--set-mark", "0x1000000");
  const told = await wall.foreignMarks();
  assert.equal(told.length, 2, told.join("\n"));
  assert.match(told.join("\n"), /mangle: -A PREROUTING -j CONNMARK --restore-mark/);
  assert.match(told.join("\n"), /mangle: -A OUTPUT -j CONNMARK --set-xmark 0x1000000/);
  await wall.remove();
  sets.close();
  run("nft", "flush", "ruleset");
  run("ip6tables-legacy", "-t", "mangle", "-F");
});

for (const backend of ["nft", "legacy"] as const) {
  describe(`with iptables-${backend}`, () => {
    const sets = openKernelSets();
    let wall: Wall;
    before(() => {
      wall = wallOf(backend, sets);
    });
    const flushRules = (): void => {
      for (const tool of ["iptables", "ip6tables"])
        for (const table of ["raw", "mangle", "nat", "filter"])
          for (const verb of ["-F", "-X"]) run(`${tool}-${backend}`, "-t", table, verb);
    };
    after(() => wall.remove().then(() => sets.close()));

    it("puts back rules whose sets are gone too", async () => {
      wall.classify(topology);
      await wall.applyRules();
      const was = state(backend);
      assert.match(was, /add dockerwall-guarded4 198\.19\.1\.0\/24,br-0123456789ab/);
      flushRules();
      for (const name of run("ipset", "list", "-n").trim().split("\n")) {
        run("ipset", "flush", name);
      }
      run("ipset", "destroy");
      await wall.applyRules();
      assert.equal(state(backend), was);
    });

    it("keeps what an earlier run put there for a container until every container has been read", () => {
      const web: Container = {
        id: "ab".repeat(32),
        name: "web",
        labels: {},
        running: true,
        networkMode: "app",
        sandbox: "0123456789ab",
        endpoints: [
          { networkId: network.id, addresses: ["198.19.1.2" as IpAddress], aliases: [], links: [] },
        ],
        configured: [],
        hazards: [],
      };
      const cutOff = (): (string | undefined)[] =>
        sets
          .list("dockerwall-quarantine4")
          .flatMap(({ key, comment }) => (key.kind === "net" ? `${key.prefix.address} ${comment}` : []));
      const marked = ["198.19.1.2", "243.171.171.171"].map((address) => `${address} ${web.id} web`);
      wall.quarantine.add(web.id);
      wall.classify({ ...topology, containers: [web] });
      const next = wallOf(backend, sets);
      assert.deepEqual([...next.quarantine], [web.id]);
      next.classify(topology);
      assert.deepEqual(cutOff().sort(), marked);
      const away = { ...topology, containers: [{ ...web, running: false, endpoints: [] }] };
      next.forgetGone(away);
      next.classify(away);
      assert.deepEqual(cutOff(), marked.slice(1));
      const again: Container = { ...web, id: "cd".repeat(32) };
      assert.deepEqual(next.forgetGone({ ...topology, containers: [again] }), ["web"]);
      const { warnings } = next.classify({ ...topology, containers: [again] });
      assert.ok(warnings.some((warning) => /^container "web" is NOT in quarantine/.test(warning)));
      assert.deepEqual([cutOff(), next.quarantine.size], [[], 0]);
      wall.quarantine.clear();
    });

    it("puts back what was flushed from its sets", () => {
      const was = state(backend);
      run("ipset", "flush");
      wall.classify(topology);
      assert.equal(state(backend), was);
    });
  });
}
