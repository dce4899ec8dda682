// Nothing that one container's packets fill is shared with another network: while every table is flooded, with the
// container's own addresses and in the name of others, a neighbour on another network loses nothing, and what is
// written down of it is complete. With the real rules and the real data plane.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import { floodChecks, isLinkLocal } from "../../support/flood-checks.ts";
import { type Family, places, startFloodLab } from "../../support/flood-lab.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const lab = await startFloodLab();
const conntrack = openConntrack();
after(async () => {
  conntrack.close();
  await lab.close();
});

const { limited, denials, ownOf, assertUnharmed, assertNoForgedLink } = floodChecks(lab);

/** How often a listener's queue was full: of connections to be accepted, or of those that are not there yet. */
function overflows(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/netstat", "utf8").split("\n");
  const counts = new Map(names.split(" ").map((name, index) => [name, Number(values.split(" ")[index])]));
  return ["ListenOverflows", "TCPReqQFullDoCookies", "TCPReqQFullDrop"]
    .map((name) => counts.get(name) ?? assert.fail(name))
    .reduce((sum, count) => sum + count);
}

/** Whether what the neighbour sends in fragments, and is answered, passes the host. */
function passesInFragments(family: Family): boolean {
  const ping = `ping -q -c 3 -i 0.2 -W 1 -s 3000 ${places[family].far} | grep -o '[0-9]* received'`;
  return run("ip", "netns", "exec", "neighbour", "sh", "-c", ping).trim() === "3 received";
}

for (const family of [4, 6] as const)
  describe(`IPv${family}`, () => {
    const { attacker, granted, neighbour } = places[family];
    const flowsOf = (source: string): number =>
      conntrack
        .flows(family)
        .filter(({ original }) => original.source === source && original.destination === granted).length;

    it("each guarded bridge has a socket of its own", () => {
      const sockets = run("ss", "-Hlunp");
      for (const bridge of ["br-app", "br-other"])
        assert.match(
          sockets,
          new RegExp(family === 4 ? `0\\.0\\.0\\.0%${bridge}:5053` : `\\[::\\]%${bridge}:5053`),
        );
    });

    it("lookups: limits, sockets, the journal", async () => {
      const report = await lab.meanwhile(family, () => lab.flood("lookups", family, 3_600));
      assertUnharmed(family, report);
      assert.deepEqual(new Set(limited("dns", family)), new Set(ownOf(family)));
    });

    it("datagrams in fragments that are offers of DHCP: the memory of the whole host's fragments", async () => {
      const report = await lab.meanwhile(family, async () => {
        assert.ok(passesInFragments(family), "before");
        await lab.flood("fragments", family, 200);
        assert.ok(passesInFragments(family), "afterwards");
      });
      assertUnharmed(family, report);
    });

    // A second and a half, in which an address may ask 1,050 times. What may open raw sockets takes its packets apart
    // within its sandbox, before they are counted.
    for (const [mode, most] of [
      ["segments", 1_300],
      ["small-segments", 6_000],
    ] as const)
      it(`${mode}, many lookups in one packet: limits`, async () => {
        let said: readonly string[] = [];
        const report = await lab.meanwhile(family, async () => {
          said = await lab.flood(mode, family, 1_000);
        });
        assertUnharmed(family, report);
        const answers = Number(/(\d+) answers/.exec(said.join())?.[1]);
        assert.ok(answers <= most, `${answers} answers`);
      });

    // Past all rules, into a socket of its own, which is read in turn with all others.
    it("many lookups in one packet, within the sandbox", async () => {
      const report = await lab.meanwhile(family, () => lab.flood("inner-segments", family, 300));
      assertUnharmed(family, report);
    });

    it("long lookups are answered", async () => {
      await lab.flood("padded", family, 20);
    });

    it("first packets: the queue, grants", async () => {
      const report = await lab.meanwhile(family, () => lab.flood("first", family, 3_600));
      assertUnharmed(family, report);
      const entries = lab.sets.list(setNames[`grant${family}`]);
      const to = entries.filter(({ key }) => key.kind === "ip-port-ip" && key.first === granted);
      assert.ok(to.length >= 1_000, `${to.length} were put before the daemon`);
      for (const source of limited("ask", family)) assert.ok(ownOf(family).includes(source), source);
    });

    it("denied connections: the set", async () => {
      const from = performance.now();
      const report = await lab.meanwhile(family, () => lab.flood("denied", family, 2_700));
      const seconds = (performance.now() - from) / 1_000;
      assertUnharmed(family, report);
      const each = Map.groupBy(denials(family), ({ asker }) => asker);
      for (const address of attacker) {
        const { length = 0 } = each.get(address) ?? [];
        assert.ok(length >= 200 && length <= 256 + 5 * (seconds + 2), `${length} of ${address}`);
      }
      for (const source of limited("denied", family)) assert.ok(ownOf(family).includes(source), source);
    });

    it("connections by TCP: the host's listener, descriptors", async () => {
      const descriptors = (): number => readdirSync("/proc/self/fd").length;
      const before = descriptors();
      let most = 0;
      const report = await lab.meanwhile(family, () =>
        lab.flood("tcp", family, 450, async () => {
          most = descriptors();
        }),
      );
      assertUnharmed(family, report);
      assert.ok(most - before <= attacker.length * 32 + 32, `${most - before} descriptors`);
    });

    for (const mode of ["syns", "connections"] as const)
      it(`${mode} by TCP: the queue of the host's listener`, async () => {
        const before = overflows();
        const report = await lab.meanwhile(family, () => lab.flood(mode, family, 20_000));
        assertUnharmed(family, report);
        assert.equal(overflows() - before, 0);
        assert.deepEqual(new Set(limited("connections", family)), new Set(ownOf(family)));
      });

    // Before each address has all the flows that it may have.
    it("errors: the queue, limits", async () => {
      const report = await lab.meanwhile(family, () => lab.flood("errors", family, 3_600));
      assertUnharmed(family, report);
      assert.deepEqual(new Set(limited("error", family)), new Set(attacker));
    });

    it("granted flows: the table of the whole host's flows is not one address's", async () => {
      const [source = ""] = attacker;
      run("sh", "-c", `conntrack -D -f ipv${family} -s ${source} > /dev/null 2>&1; :`);
      const report = await lab.meanwhile(family, () => lab.flood("flows", family, 8_800));
      assertUnharmed(family, report);
      const count = flowsOf(source);
      assert.ok(count >= 8_000 && count <= 8_192, `${count} flows`);
    });

    it("in the name of others: nothing of it is anywhere", async () => {
      const report = await lab.meanwhile(family, () => lab.flood("forged", family, 1_600));
      assertUnharmed(family, report);
      for (const table of ["dns", "ask", "denied"])
        for (const source of limited(table, family)) assert.ok(ownOf(family).includes(source), source);
      const others = denials(family).filter(({ asker }) => !ownOf(family).includes(asker));
      assert.deepEqual(others, []);
      const ports = denials(family).flatMap(({ asker, port }) => (asker === neighbour ? [port] : []));
      assert.deepEqual(
        ports.filter((port) => port < 20_000),
        [],
      );
      // The gateway is the host itself.
      const { subnets, attackerGateway } = places[family];
      const flows = conntrack.flows(family).map(({ original }) => original.source);
      const forged = flows.filter(
        (source) => source.startsWith(subnets.attacker) && ![...attacker, attackerGateway].includes(source),
      );
      assert.deepEqual(forged, []);
    });

    it("connections by TCP within a sandbox: descriptors", async () => {
      const descriptors = (): number => readdirSync("/proc/self/fd").length;
      const before = descriptors();
      let most = 0;
      const report = await lab.meanwhile(family, () =>
        lab.flood("pool", family, 1_200, async () => {
          most = descriptors();
        }),
      );
      assertUnharmed(family, report);
      assert.ok(most - before <= 64, `${most - before} descriptors`);
    });

    it("lookups of the host's root: the queue of the engine's questions", async () => {
      let said: readonly string[] = [];
      const report = await lab.meanwhile(family, async () => {
        said = await lab.flood("questions", family, 3_600);
      });
      assertUnharmed(family, report);
      assert.ok(said.includes("3600 of 3600 came back"), said.join());
    });

    it("addresses without number: owners, and guarded places", async () => {
      const { subnets } = places[family];
      const box = `attacker${family}`;
      const each =
        family === 4
          ? `${subnets.attacker}$((20 + i % 200))/24`
          : `${subnets.attacker}$((5000 + i))/64 nodad`;
      const more = `for ((i = 0; i < 1000; i++)); do echo address add ${each} dev eth0; done | ip -force -batch - 2> /dev/null; :`;
      const report = await lab.meanwhile(family, async () => {
        run("ip", "netns", "exec", box, "bash", "-c", more);
        await lab.plane.flush();
      });
      assertUnharmed(family, report);
      const owners = lab.sets
        .list(setNames[`owner${family}`])
        .flatMap(({ key }) => (key.kind === "net" ? [key.prefix.address as string] : []));
      assert.ok(owners.includes(neighbour));
      const its = owners.filter((address) => address.startsWith(subnets.attacker));
      assert.ok(its.length <= attacker.length, `${its}`);
    });
  });

describe("connections by TCP within many sandboxes", () => {
  it("fill what all of them may have together, and the neighbour has its own", async () => {
    const counts: number[] = [];
    const report = await lab.meanwhile(4, () =>
      // Who connects is done before the last ones are accepted, so the count still grows: until it stands still.
      lab.crowd(40, 32, () =>
        until("descriptors", 5_000, () => {
          counts.push(readdirSync("/proc/self/fd").length);
          const last = counts.slice(-5);
          return last.length === 5 && Math.min(...last) >= 850 && new Set(last).size === 1 ? true : undefined;
        }),
      ),
    );
    assertUnharmed(4, report);
    const most = Math.max(...counts);
    assert.ok(most <= 1_024 + 40 * 6 + 128, `${most} descriptors`);
  });
});

describe("in the name of link-local addresses", () => {
  it("nothing of it is anywhere", async () => {
    const report = await lab.meanwhile(6, () => lab.flood("link", 6, 4_000));
    assertNoForgedLink(report);
  });
});

describe("where ports cannot be guarded", () => {
  it("a sender that claims to be another takes a place as such", async () => {
    await lab.unguard();
    await lab.flood("forged", 6, 1_600);
    await until("places of others", 5_000, () => (limited("dns", 6).length > 400 ? true : undefined));
  });

  it("but what is denied to a link-local address is noted nowhere", async () => {
    // Fewer than the host's table of neighbours has room for.
    await lab.flood("link", 6, 400);
    assert.deepEqual(
      [...limited("denied", 6), ...denials(6).map(({ asker }) => asker)].filter(isLinkLocal),
      [],
    );
    // They have come as far as that.
    const solicited = run("ip", "-6", "neigh", "show", "dev", "br-app").split("\n").filter(isLinkLocal);
    assert.ok(solicited.length > 100, `${solicited.length} neighbours`);
  });
});
