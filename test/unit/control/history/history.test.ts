// Whose history what was denied is, as addresses pass on, networks end, and the daemon is restarted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistory, type History } from "../../../../src/control/history/history.ts";
import { createKeptLookups } from "../../../../src/control/history/kept-lookups.ts";
import type { ClassifiedNetwork } from "../../../../src/core/classify/networks.ts";
import { setSpecs } from "../../../../src/core/firewall/sets.ts";
import type { LookupEvent } from "../../../../src/core/journal/lookup-event.ts";
import { buildReport } from "../../../../src/core/journal/report.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../../src/core/model/topology.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const startMs = 1_000_000_000;
const minute = 60_000;

interface Host {
  readonly sets: FakeSets;
  /** Tries what is denied, once. */
  attempt(asker: string, destination?: string, port?: number): void;
  wait(ms: number): void;
  /** The host is another one, or the same again, that runs for so long. */
  boot(ms: number): void;
  /** Another daemon on the same kernel. */
  restart(): void;
  /** The engine tells what there is. */
  tell(topology: Topology): void;
  /** A sandbox has got an address. */
  appear(address: string, sandbox: string): void;
  /** `network address container service destination packets age`, age in seconds. */
  drops(): readonly string[];
  /** It has looked something up. */
  lookUp(asker: string, domain: string, more?: Partial<LookupEvent>): void;
  /** `network address container domain count verdict age`, age in seconds. */
  lookups(): readonly string[];
  /** How many kept lookups were strange, by daemon. */
  strange(): readonly number[];
  history(): History;
}

function startHost(): Host {
  let nowMs = startMs;
  const failures: unknown[] = [];
  const strange: number[] = [];
  const sets = createFakeSets(() => nowMs);
  for (const spec of setSpecs()) sets.create(spec);
  const start = (): History =>
    createHistory({
      sets,
      ttlSeconds: 300,
      nowMs: () => nowMs,
      onStrange: (count) => strange.push(count),
      onFailure: (error) => failures.push(error),
    });
  let history = start();
  let guarded: readonly ClassifiedNetwork[] = [];
  return {
    sets,
    attempt(asker, destination = "203.0.113.9", port = 443) {
      const [first, second] = [asker as IpAddress, destination as IpAddress];
      sets.hit("dockerwall-denied4", { kind: "ip-port-ip", first, protocol: 6, port, second });
    },
    wait: (ms) => {
      nowMs += ms;
    },
    boot(ms) {
      nowMs = ms;
    },
    restart() {
      history = start();
    },
    tell(topology) {
      guarded = topology.networks
        .filter(({ id }) => id.startsWith("g"))
        .map((network) => ({ ...guardedNetwork(network), bridge: `br-${network.id}` }));
      history.usePicture(topology, { guarded });
    },
    appear(address, sandbox) {
      history.passOn([{ address: address as IpAddress, sandbox }]);
      const prefix = { address: address as IpAddress, length: 32 };
      sets.add("dockerwall-owner4", [{ key: { kind: "net", prefix }, comment: sandbox }]);
    },
    drops() {
      assert.deepEqual(failures, []);
      return buildReport({
        guarded,
        lookups: history.lookups(),
        denied: history.denied(),
        isGone: history.isGone,
        nowMs,
      }).networks.flatMap(({ network, drops }) =>
        drops.map(({ address, container = "-", gone, service, destination, packets, lastSeenMs }) =>
          [
            network,
            address,
            gone === true ? `${container} (gone)` : container,
            service,
            destination,
            packets,
            Math.round((nowMs - lastSeenMs) / 1000),
          ].join(" "),
        ),
      );
    },
    lookUp(asker, domain, more = {}) {
      const networkId = `g${asker.split(".")[2]}`;
      const event = { networkId, asker: asker as IpAddress, domain, allowed: true, granted: [], ...more };
      history.record([{ ...event, atMs: nowMs }]);
    },
    lookups() {
      assert.deepEqual(failures, []);
      return history
        .lookups()
        .map(({ networkId, asker, container, domain, count, allowed, lastSeenMs }) =>
          [
            ...[networkId, asker, container?.name ?? "-", domain, count, allowed ? "allowed" : "denied"],
            Math.round((nowMs - lastSeenMs) / 1000),
          ].join(" "),
        )
        .toSorted();
    },
    strange: () => strange,
    history: () => history,
  };
}

const g1 = bridgeNetwork("g1", "198.18.1.0/24");
const g2 = bridgeNetwork("g2", "198.18.2.0/24");
const open = bridgeNetwork("o1", "198.18.9.0/24");

function picture(networks: readonly Network[], ...containers: readonly Container[]): Topology {
  return { networks, containers };
}

const web = runningContainer("web", "g1", "198.18.1.2");
const next = runningContainer("next", "g1", "198.18.1.2");

test("what is denied stays its container's when the address passes on, as its sandbox is seen", () => {
  const host = startHost();
  host.appear("198.18.1.2", "sandbox-web");
  host.tell(picture([g1], web));
  host.attempt("198.18.1.2");
  host.wait(minute);
  host.tell(picture([g1]));
  host.appear("198.18.1.2", "sandbox-next");
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 60"]);
  // Its first instruction, long before the engine tells of it.
  host.attempt("198.18.1.2", "203.0.113.8");
  host.attempt("198.18.1.2");
  host.drops();
  host.wait(10_000);
  // What the engine was asked before it knew.
  host.tell(picture([g1], web));
  host.drops();
  host.tell(picture([g1], { ...next, sandbox: undefined }));
  host.tell(picture([g1], next));
  host.wait(minute);
  assert.deepEqual(host.drops().toSorted(), [
    "g1 198.18.1.2 next tcp:443 203.0.113.8 1 70",
    "g1 198.18.1.2 next tcp:443 203.0.113.9 1 70",
    "g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 130",
  ]);
});

test("the same when only the engine tells of it, and nothing of the next one is known", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.attempt("198.18.1.2");
  host.tell(picture([g1], next));
  host.wait(minute);
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 60"]);
});

test("what was denied before the host started stays, where its set was saved", () => {
  const host = startHost();
  host.boot(40_000);
  const [first, second] = ["198.18.1.2" as IpAddress, "203.0.113.9" as IpAddress];
  host.sets.add("dockerwall-denied4", [
    { key: { kind: "ip-port-ip", first, protocol: 6, port: 443, second }, timeoutSeconds: 100 },
  ]);
  host.tell(picture([g1], web));
  assert.equal(host.drops().length, 1);
  assert.equal(host.sets.list("dockerwall-denied4").length, 1);
});

test("a container with the name and the address of one that is gone has none of its history", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.attempt("198.18.1.2");
  host.appear("198.18.1.2", "sandbox-again");
  host.tell(picture([g1], { ...next, id: "again", name: "web", sandbox: "sandbox-again" }));
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 0"]);
});

test("a container that restarts at its address goes on counting", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  for (const start of ["one", "two", "three"]) {
    host.appear("198.18.1.2", start);
    host.tell(picture([g1], { ...web, sandbox: start }));
    host.attempt("198.18.1.2");
    host.attempt("198.18.1.2");
  }
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web tcp:443 203.0.113.9 6 0"]);
});

test("the history of a network ends with it, even if another gets its name and subnet", () => {
  for (const isRead of [true, false]) {
    const host = startHost();
    host.tell(picture([g1], web));
    host.attempt("198.18.1.2");
    if (isRead) host.drops();
    host.wait(minute);
    const again = { ...g1, id: "g9" };
    host.tell(picture([again], runningContainer("next", "g9", "198.18.1.2")));
    assert.deepEqual(host.drops(), []);
    host.restart();
    host.tell(picture([again], runningContainer("next", "g9", "198.18.1.2")));
    assert.deepEqual(host.drops(), []);
    assert.deepEqual(host.sets.list("dockerwall-denied4"), []);
  }
});

test("what a guarded container is denied on an open network is its own, under its guarded network", () => {
  const host = startHost();
  const endpoints = ["g2", "o1", "g1"].map((networkId) => ({
    networkId,
    addresses: [`198.18.${networkId.slice(1).replace("1", networkId === "o1" ? "9" : "1")}.5` as IpAddress],
    aliases: [],
    links: [],
  }));
  host.tell(
    picture(
      [g1, g2, open],
      { ...runningContainer("both", "g1", ""), endpoints },
      runningContainer("free", "o1", "198.18.9.6"),
    ),
  );
  for (const asker of ["198.18.9.5", "198.18.2.5", "198.18.9.6"]) host.attempt(asker);
  assert.deepEqual(host.drops(), [
    "g1 198.18.9.5 both tcp:443 203.0.113.9 1 0",
    "g2 198.18.2.5 both tcp:443 203.0.113.9 1 0",
  ]);
});

test("a restarted daemon knows whose it was, what it was called and when it was", () => {
  const host = startHost();
  const other = runningContainer("other", "g1", "198.18.1.3");
  for (const { id, endpoints } of [web, other])
    host.appear(endpoints[0]?.addresses[0] ?? "", `sandbox-${id}`);
  host.tell(picture([g1], web, other));
  host.history().record([
    {
      networkId: "g1",
      asker: "198.18.1.3" as IpAddress,
      domain: "www.example.com",
      allowed: true,
      atMs: startMs,
      granted: ["203.0.113.7" as IpAddress],
    },
  ]);
  host.attempt("198.18.1.2");
  host.attempt("198.18.1.3", "203.0.113.7");
  host.attempt("198.18.1.3", "203.0.113.7");
  host.tell(picture([g1], web, other));
  host.wait(60 * minute);
  host.appear("198.18.1.2", "sandbox-next");
  host.tell(picture([g1], next, other));
  host.attempt("198.18.1.2", "203.0.113.6");
  host.tell(picture([g1], next, other));
  host.wait(minute);
  const before = host.drops();
  assert.deepEqual(before.toSorted(), [
    "g1 198.18.1.2 next tcp:443 203.0.113.6 1 60",
    "g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 3660",
    "g1 198.18.1.3 other tcp:443 203.0.113.7 2 3660",
  ]);
  host.restart();
  host.tell(picture([g1], next, other));
  assert.deepEqual(host.drops(), before);
  assert.deepEqual(
    host
      .history()
      .denied()
      .flatMap(({ domains }) => domains),
    ["www.example.com"],
  );
});

test("what was tried while no daemon was there is not booked on who came meanwhile", () => {
  const host = startHost();
  host.appear("198.18.1.2", "sandbox-web");
  host.tell(picture([g1], web));
  host.attempt("198.18.1.2");
  host.drops();
  host.wait(minute);
  host.attempt("198.18.1.2");
  host.attempt("198.18.1.2", "203.0.113.8");
  host.wait(minute);
  host.restart();
  host.tell(picture([g1], next));
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 120"]);
  // One that is there still has it.
  const same = startHost();
  same.appear("198.18.1.2", "sandbox-web");
  same.tell(picture([g1], web));
  same.attempt("198.18.1.2");
  same.wait(minute);
  same.restart();
  same.tell(picture([g1], web));
  assert.deepEqual(same.drops(), ["g1 198.18.1.2 web tcp:443 203.0.113.9 1 60"]);
});

test("comments of others and damaged ones are nobody's history", () => {
  const host = startHost();
  const entry = (index: number, comment: string) => ({
    key: { kind: "net", prefix: { address: `0.0.0.${index}` as IpAddress, length: 32 } } as const,
    comment,
    timeoutSeconds: 100,
  });
  host.sets.add("dockerwall-past", [
    entry(1, ""),
    entry(2, "web c1 g1 one 40 198.18.1.2 6:443 203.0.113.9"),
    entry(3, "web c1 g1 1 40 198.18.1 6:443 203.0.113.9"),
    entry(4, "web c1 g1 1 40 198.18.1.2 6:443 203.0.113.9 www.example.com"),
  ]);
  host.restart();
  host.tell(picture([g1]));
  assert.deepEqual(host.drops(), ["g1 198.18.1.2 web (gone) tcp:443 203.0.113.9 1 86300"]);
});

test("what is kept of former holders is bounded, by network too", () => {
  const host = startHost();
  const record = (network: string, index: number, port: number) => ({
    networks: network,
    asker: `198.18.${network}.${index % 250}`,
    port,
  });
  for (let index = 0; index < 40; index++) {
    const address = record("1", index + 2, 0).asker;
    host.tell(
      picture(
        [g1, g2],
        runningContainer(`c${index}`, "g1", address),
        runningContainer("q", "g2", "198.18.2.2"),
      ),
    );
    for (let port = 1; port <= 300; port++) host.attempt(address, "203.0.113.9", port);
    if (index === 0) host.attempt("198.18.2.2");
    host.appear(address, `x${index}`);
    if (index === 0) host.appear("198.18.2.2", "x");
  }
  assert.ok(host.sets.list("dockerwall-past").length <= 1_025);
  assert.ok(host.drops().some((row) => row.startsWith("g2 198.18.2.2 q ")));
});

test("lookups survive a restart with their ages, and go on with the container that made them", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.lookUp("198.18.1.2", "www.example.com", { granted: ["203.0.113.9" as IpAddress] });
  host.wait(minute);
  host.lookUp("198.18.1.2", "www.example.com");
  host.lookUp("198.18.1.2", "db.example.com", { allowed: false, refused: ["10.0.0.1" as IpAddress] });
  host.history().keep();
  host.wait(minute);
  host.restart();
  host.tell(picture([g1], web));
  const kept = [
    "g1 198.18.1.2 web db.example.com 1 denied 60",
    "g1 198.18.1.2 web www.example.com 2 allowed 60",
  ];
  assert.deepEqual(host.lookups(), kept);
  assert.equal(host.history().sinceMs("app"), startMs);
  assert.deepEqual(
    host
      .history()
      .namesOf("web")
      .get("203.0.113.9" as IpAddress),
    ["www.example.com"],
  );
  assert.deepEqual(
    host
      .history()
      .namesOf("web")
      .get("10.0.0.1" as IpAddress),
    ["db.example.com"],
  );
  host.lookUp("198.18.1.2", "www.example.com");
  assert.deepEqual(host.lookups(), [kept[0], "g1 198.18.1.2 web www.example.com 3 allowed 0"]);
  // And a second time, after the container is gone.
  host.history().keep();
  host.restart();
  host.tell(picture([g1]));
  assert.deepEqual(host.lookups(), [kept[0], "g1 198.18.1.2 web www.example.com 3 allowed 0"]);
  assert.ok(host.history().isGone("web"));
  assert.deepEqual(host.strange(), []);
});

test("who has the address after a restart has nothing of what was looked up before", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.lookUp("198.18.1.2", "www.example.com");
  host.history().keep();
  host.restart();
  host.tell(picture([g1], next));
  host.lookUp("198.18.1.2", "www.example.com");
  assert.deepEqual(host.lookups(), [
    "g1 198.18.1.2 next www.example.com 1 allowed 0",
    "g1 198.18.1.2 web www.example.com 1 allowed 0",
  ]);
});

test("kept lookups end with their network, and when they have run out", () => {
  const host = startHost();
  const there = runningContainer("other", "g2", "198.18.2.2");
  host.tell(picture([g1, g2], web, there));
  host.lookUp("198.18.1.2", "www.example.com");
  host.lookUp("198.18.2.2", "www.example.com");
  host.history().keep();
  host.restart();
  host.tell(picture([g2], there));
  assert.deepEqual(host.lookups(), ["g2 198.18.2.2 other www.example.com 1 allowed 0"]);
  host.history().keep();
  host.restart();
  host.tell(picture([g1, g2], web, there));
  assert.deepEqual(host.lookups(), ["g2 198.18.2.2 other www.example.com 1 allowed 0"]);
  host.wait(6 * minute);
  host.restart();
  host.tell(picture([g1, g2], web, there));
  assert.deepEqual(host.lookups(), []);
});

test("kept lookups that were dated by another clock have the age that the kernel knows", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.lookUp("198.18.1.2", "www.example.com");
  host.history().keep();
  const inAYear = `${startMs / 1000 + 31_536_000}`;
  const saved = host.sets.list("dockerwall-lookups").map(({ key, comment = "" }) => ({
    key,
    comment: comment.replace(`${startMs / 1000}`, inAYear),
    timeoutSeconds: 200,
  }));
  assert.ok(saved.every(({ comment }) => comment.includes(inAYear)));
  host.sets.add("dockerwall-lookups", saved);
  host.restart();
  host.tell(picture([g1], web));
  assert.deepEqual(host.lookups(), ["g1 198.18.1.2 web www.example.com 1 allowed 100"]);
  assert.equal(host.history().sinceMs("app"), startMs - 100_000);
  host.wait(201_000);
  assert.deepEqual(host.lookups(), []);
});

test("kept lookups that are older than the host keep their age, over restarts, too", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.lookUp("198.18.1.2", "www.example.com");
  host.history().keep();
  const aged = host.sets.list("dockerwall-lookups").map(({ key, comment = "" }) => ({
    key,
    comment: comment.replace(
      `${startMs / 1000}`,
      comment.startsWith("since") ? "30" : `${startMs / 1000 + 50_000}`,
    ),
    timeoutSeconds: 200,
  }));
  host.boot(40_000);
  host.sets.add("dockerwall-lookups", aged);
  host.restart();
  host.tell(picture([g1], web));
  const before = host.lookups();
  assert.equal(host.history().sinceMs("app"), 40_000 - 100_000);
  host.history().keep();
  host.restart();
  host.tell(picture([g1], web));
  assert.deepEqual(host.lookups(), before);
  assert.equal(host.history().sinceMs("app"), 40_000 - 100_000);
});

test("kept lookups that cannot be read count for nothing, are reported once, and are taken away", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.lookUp("198.18.1.2", "www.example.com");
  host.history().keep();
  const entry = (index: number, comment: string) => ({
    key: { kind: "net", prefix: { address: `0.0.9.${index}` as IpAddress, length: 32 } } as const,
    comment,
    timeoutSeconds: 100,
  });
  const good = host.sets.list("dockerwall-lookups").find(({ comment = "" }) => comment.startsWith("web"));
  host.sets.add("dockerwall-lookups", [
    entry(1, "of another program"),
    entry(2, good?.comment?.replace("allowed", "open") ?? ""),
    entry(3, "since 12"),
  ]);
  host.restart();
  host.tell(picture([g1], web));
  assert.deepEqual(host.strange(), [3]);
  assert.deepEqual(host.lookups(), ["g1 198.18.1.2 web www.example.com 1 allowed 0"]);
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 2);
});

test("what is kept of lookups is bounded, by container and by network, and only changes are written", () => {
  const host = startHost();
  const there = runningContainer("other", "g2", "198.18.2.2");
  host.tell(picture([g1, g2], web, there));
  for (let index = 0; index < 900; index++) host.lookUp("198.18.1.2", `x${index}.example.com`);
  host.lookUp("198.18.2.2", "www.example.com");
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 256 + 1 + 1);
  const before = host.sets.dump();
  host.history().keep();
  assert.deepEqual(host.sets.dump(), before);
});

test("only what is kept of lookups is rendered, and what a comment cannot hold takes no place of it", () => {
  const sets = createFakeSets(() => startMs);
  for (const spec of setSpecs()) sets.create(spec);
  let rendered = 0;
  const tallies = Array.from({ length: 10_000 }, (_, index) => ({
    networkId: "g1",
    asker: `198.18.1.${index % 10}`,
    container: undefined,
    // Every second one is not to be kept, and the last ones are too long.
    domain: index % 20 < 10 ? "(others)" : index > 9_000 ? "a.".repeat(126) : `x${index}.example.com`,
    type: "A",
    allowed: true,
    trouble: undefined,
    count: 1,
    lastSeenMs: index,
    get granted() {
      rendered++;
      return [];
    },
    refused: [],
    mayExist: true,
  }));
  createKeptLookups(sets, 300, startMs).write(tallies, startMs, startMs);
  assert.equal(sets.list("dockerwall-lookups").length, 1_020 + 1);
  assert.equal(rendered, 1_020);
});

test("what the kernel refuses to keep, or to forget, is told of to it again", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  for (const name of ["a", "b"]) host.lookUp("198.18.1.2", `${name}.example.com`);
  host.sets.limit("dockerwall-lookups", 2);
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 2);
  host.sets.limit("dockerwall-lookups", 100);
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 3);
  const { del } = host.sets;
  host.sets.del = () => {
    throw new Error("no");
  };
  host.tell(picture([]));
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 3);
  host.sets.del = del;
  host.history().keep();
  assert.equal(host.sets.list("dockerwall-lookups").length, 1);
});

test("what was denied is not forgotten before the kernel has", () => {
  const host = startHost();
  host.tell(picture([g1], web));
  host.attempt("198.18.1.2");
  host.appear("198.18.1.2", "other");
  const { del } = host.sets;
  host.sets.del = () => {
    throw new Error("no");
  };
  host.tell(picture([]));
  assert.equal(host.sets.list("dockerwall-past").length, 1);
  host.sets.del = del;
  host.tell(picture([]));
  assert.equal(host.sets.list("dockerwall-past").length, 0);
});

test("a network is remembered since it is there, and not before lookups are", () => {
  const host = startHost();
  const since = (id: string): number => (host.history().sinceMs(id) - startMs) / minute;
  const [app, late] = [bridgeNetwork("g1", "198.19.1.0/24"), bridgeNetwork("g2", "198.19.2.0/24")];
  host.wait(minute);
  host.tell({ networks: [app], containers: [] });
  host.wait(minute);
  host.tell({ networks: [app, late], containers: [] });
  host.wait(minute);
  host.tell({ networks: [app, late], containers: [] });
  assert.deepEqual([since("g1"), since("g2")], [0, 2]);
});
