import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { Standing } from "../../../src/core/askers/standing.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";
import { canaryQuery, isOurDenial } from "../../../src/core/dns/probe.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { HostAddresses } from "../../../src/data/worker/host-addresses.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { DockerwallError } from "../../../src/errors.ts";
import { countedSince } from "../../support/counted.ts";
import { decodeMessage, plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { bridgeNetwork, newContainer, runningContainer } from "../../support/topologies.ts";

test("an unknown single label waits for one reading of the engine only, and is denied by that", async () => {
  let asked = 0;
  let over = 0;
  const { ask, answerer } = startOneNetwork({
    options: { nameReadings: { ask: () => ++asked, isOver: (number) => over >= number } },
  });
  const answers = [ask("nobody"), ask("nobody")];
  // An earlier reading tells nothing of it, whatever else has become known.
  answerer.reconsider();
  await nextTurn();
  over = 1;
  answerer.reconsider();
  for (const answer of await Promise.all(answers)) assert.equal(decodeMessage(answer).rcode, "NXDOMAIN");
  assert.equal(asked, 1);
});

test("an unknown single label that the engine does not tell of in time is not denied: it fails, with the reason", async () => {
  const { ask } = startOneNetwork({});
  const startedAtMs = performance.now();
  const answer = decodeMessage(await ask("nobody"));
  assert.deepEqual([answer.rcode, answer.opt?.errorCode], ["SERVFAIL", 14]);
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs > 3_000 && tookMs < 4_000);
});

test("an unknown single label is answered at once, and nobody is asked, while nobody has come", async () => {
  const nameReadings = { ask: () => assert.fail("the engine was asked"), isOver: () => false };
  const { ask } = startOneNetwork({ options: { nameReadings, mayHaveCome: () => false } });
  const startedAtMs = performance.now();
  for (let i = 0; i < 10; i++) assert.equal(decodeMessage(await ask(`nobody-${i}`)).rcode, "NXDOMAIN");
  assert.ok(performance.now() - startedAtMs < 500);
});

for (const takenOver of ["in its sandbox", "through the host"] as const)
  test(`an answer opens nothing for who has its asker's address by now, who asked ${takenOver}`, async () => {
    const asked = Promise.withResolvers<() => void>();
    const upstream = await startFakeUpstream({
      onUdp: ({ message, reply }) => asked.resolve(() => reply(answerTo(message, ["203.0.113.7"]))),
    });
    const sets = createFakeSets(monotonicMs);
    createSets(sets);
    const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
    const { answerer, index, message } = startOneNetwork({
      allow: "www.example.org",
      upstreams: [upstream],
      options: { admission },
    });
    const address = "198.18.0.2" as IpAddress;
    const standing = index.standingOfSource(address);
    try {
      admission.own(address, "first");
      const answer = new Promise<Uint8Array | undefined>((resolve) => {
        const query = message("www.example.org");
        if (takenOver === "through the host") answerer.fromHost(query, "udp", { address }, resolve);
        else
          answerer.answer({
            message: query,
            transport: "udp",
            standing: () => standing,
            arrivedAtMs: performance.now(),
            reply: resolve,
            sandbox: "first",
          });
      });
      const reply = await asked.promise;
      admission.own(address, "second");
      reply();
      assert.equal(decodeMessage((await answer) ?? assert.fail("silence")).rcode, "SERVFAIL");
      assert.deepEqual(sets.list(setNames.grant4).concat(sets.list(setNames.pair4)), []);
    } finally {
      answerer.useUpstreams([]);
      await upstream.close();
    }
  });

test("a name that leads into a network of the engine opens nothing, unless the allowlist names the range", async () => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) =>
      reply(answerTo(message, [`203.0.113.${/n(\d+)/i.exec(message.toString("latin1", 13))?.[1]}`])),
  });
  const started = startOneNetwork({ allow: "*.example.org 203.0.113.32/28", upstreams: [upstream] });
  const { ask, answerer, topology, guarded } = started;
  const opened = async (name: string): Promise<readonly string[]> => {
    started.grants.splice(0);
    await ask(`${name}.example.org`);
    return started.grants.map(({ destination }) => destination);
  };
  try {
    assert.deepEqual(await opened("n17"), ["203.0.113.17"]);
    const others = [
      bridgeNetwork("n2", "10.9.0.0/16", "203.0.113.16/28"),
      bridgeNetwork("n3", "203.0.113.32/28"),
      // As a driver without addresses of its own tells of its pool: that is nobody's network.
      bridgeNetwork("n4", "0.0.0.0/0", "::/0"),
    ];
    answerer.useTopology({ ...topology, networks: [...topology.networks, ...others] }, guarded);
    assert.deepEqual(await opened("n17"), []);
    assert.deepEqual(await opened("n31"), []);
    assert.deepEqual(await opened("n15"), ["203.0.113.15"]);
    assert.deepEqual(await opened("n33"), ["203.0.113.33"]);
    answerer.useTopology(topology, guarded);
    assert.deepEqual(await opened("n17"), ["203.0.113.17"]);
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("a name of the host is answered as far as a host entry opens what it allows, and opens nothing", async () => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.200"])),
  });
  const own = "203.0.113.200" as IpAddress;
  const cases: readonly [allow: string, told: boolean, opened: number][] = [
    ["app.example.org", false, 0],
    ["app.example.org host:443/tcp", true, 0],
    ["app.example.org:443 host:80", false, 0],
    ["app.example.org host:443/tcp !203.0.113.200", false, 0],
    ["app.example.org 203.0.113.200:443/tcp", true, 1],
    ["app.example.org@203.0.113.200:443/tcp", true, 1],
  ];
  try {
    for (const [allow, told, opened] of cases) {
      const { ask, grants, answerer } = startOneNetwork({
        allow,
        upstreams: [upstream],
        options: { ownAddresses: new HostAddresses(() => [own]) },
      });
      const { answers } = decodeMessage(await ask("app.example.org"));
      answerer.useUpstreams([]);
      assert.deepEqual([answers.length > 0, grants.length], [told, opened], allow);
    }
  } finally {
    await upstream.close();
  }
});

test("an allowed name that opened nothing is not told as allowed, and is counted", async () => {
  const many = Array.from({ length: 300 }, (_, i) => `203.0.${113 + (i >> 8)}.${i & 255}`);
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const [label = ""] = message
        .toString("latin1", 13)
        .toLowerCase()
        .split(/[^a-z]/);
      if (label === "private") reply(answerTo(message, ["192.168.0.1", "10.0.0.1"]));
      else if (label === "mixed") reply(answerTo(message, ["192.168.0.1", "203.0.113.1"]));
      else if (label === "broken") reply(answerTo(message, [], { flags: 0x8182 }));
      else if (label === "many") reply(answerTo(message, [], { flags: 0x8380 }));
      else reply(answerTo(message, ["203.0.113.1"]));
    },
    onTcp: (message) => answerTo(message, many),
  });
  const before = readCounters();
  const { ask, askBytes, events, problems, answerer } = startOneNetwork({
    allow: "*.example.org",
    upstreams: [upstream],
    admit: (grants) => {
      if (grants[0]?.domain === "full.example.org") throw new DockerwallError("KERNEL_REFUSED", "full");
      return Number.POSITIVE_INFINITY;
    },
  });
  try {
    for (const name of ["good", "private", "mixed", "broken", "full", "many"])
      await ask(`${name}.example.org`);
    await ask("www.example.com");
    const sshfp = rawMessage({ body: [rawQuestion(plainName("good.example.org"), 44)] });
    await askBytes(sshfp, "198.18.0.5");
    assert.deepEqual(
      events.map(({ domain, allowed, trouble, granted }) => [domain, allowed, trouble, granted.length]),
      [
        ["good.example.org", true, undefined, 1],
        ["private.example.org", false, "private", 0],
        ["mixed.example.org", true, undefined, 1],
        ["broken.example.org", false, "failed", 0],
        ["full.example.org", false, "failed", 0],
        ["many.example.org", true, undefined, 256],
        ["www.example.com", false, undefined, 0],
        ["good.example.org", false, "type", 0],
      ],
    );
    assert.deepEqual(answerer.stats(), { running: 0, waiting: 0 });
    assert.deepEqual(countedSince(before), {
      lookup_private_addresses: 3,
      lookup_excess_addresses: 44,
      lookup_refused_grants: 1,
      "lookup_not_asked not-served": 1,
    });
    assert.ok(problems.some((problem) => problem.startsWith("44 addresses of many.example.org")));
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("an update is in stats, and is no lookup", async () => {
  const { askBytes, events } = startOneNetwork({ allow: "*.example.org" });
  const update = rawMessage({
    flags: 5 << 11,
    counts: [1, 0, 0, 0],
    body: [rawQuestion(plainName("example.org"), 6)],
  });
  assert.equal(decodeMessage(await askBytes(update, "198.18.0.2")).rcode, "NOTIMP");
  const broken = rawMessage({ flags: 5 << 11, counts: [1, 0, 0, 0], body: [Buffer.from([0xff])] });
  assert.equal(decodeMessage(await askBytes(broken, "198.18.0.2")).rcode, "NOTIMP");
  assert.deepEqual(
    events.map(({ domain, allowed, trouble }) => [domain, allowed, trouble]),
    [["example.org", false, "no-query"]],
  );
});

test("our own question whether capture works is no lookup of the container", async () => {
  const { askBytes, message, events } = startOneNetwork({});
  assert.ok(isOurDenial(await askBytes(canaryQuery(), "198.18.0.2")));
  await askBytes(message("www.example.org"), "198.18.0.2");
  assert.deepEqual(
    events.map(({ domain }) => domain),
    ["www.example.org"],
  );
});

test("a mute upstream becomes SERVFAIL, with the reason, before the client gives up", async () => {
  const upstream = await startFakeUpstream({ onUdp: () => undefined });
  const { ask, answerer } = startOneNetwork({ allow: "*.example.org", upstreams: [upstream] });
  try {
    const startedAtMs = performance.now();
    const answer = decodeMessage(await ask("www.example.org"));
    assert.ok(performance.now() - startedAtMs < 4_000);
    assert.deepEqual([answer.rcode, answer.opt?.errorCode], ["SERVFAIL", 22]);
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("the first question of a container that becomes known late is answered in time, too", async () => {
  const upstream = await startFakeUpstream({ onUdp: () => undefined });
  const nothing = { topology: { networks: [], containers: [] }, guarded: [] };
  let index = new AskerIndex({ ...nothing, services: [], quarantined: [] });
  const { ask, answerer, topology, guarded } = startOneNetwork({
    allow: "*.example.org",
    upstreams: [upstream],
    options: { indexNow: () => index },
  });
  try {
    const startedAtMs = performance.now();
    const answers = Promise.all([ask("www.example.org"), ask("denied.example.com"), ask("nobody")]);
    await sleep(3_200);
    index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
    answerer.useTopology(topology, guarded);
    const rcodes = (await answers).map((answer) => decodeMessage(answer).rcode);
    assert.ok(performance.now() - startedAtMs < 4_000);
    // Of the last one it is not known whether a new container is called so.
    assert.deepEqual(rcodes, ["SERVFAIL", "NXDOMAIN", "SERVFAIL"]);
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("a container has one budget, by whichever of its addresses and sockets it asks", async () => {
  const upstream = await startFakeUpstream({ onUdp: () => undefined });
  const addresses = ["198.18.0.2", "2001:db8:1::2"] as IpAddress[];
  const endpoints = [{ networkId: "n1", addresses, aliases: [], links: [] }];
  const web = {
    id: "web",
    name: "web",
    labels: {},
    running: true,
    networkMode: "web",
    configured: [],
    hazards: [],
  };
  const containers = [{ ...web, sandbox: "s1", endpoints }];
  let index: AskerIndex | undefined;
  const { ask, message, answerer, topology, guarded } = startOneNetwork({
    allow: "*.example.org",
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail() },
  });
  index = new AskerIndex({ topology: { ...topology, containers }, guarded, services: [], quarantined: [] });
  const standing = (): Standing =>
    index?.standingOfSandbox("s1", addresses.toReversed(), []) ?? assert.fail();
  try {
    for (let i = 0; i < 150; i++) {
      for (const address of addresses) void ask(`n${i}-${address.length}.example.org`, address);
      const arrivedAtMs = performance.now();
      answerer.answer({
        message: message(`s${i}.example.org`),
        transport: "udp",
        standing,
        arrivedAtMs,
        reply: () => undefined,
      });
    }
    await nextTurn();
    assert.deepEqual([answerer.stats().running, answerer.stats().waiting], [256, 450 - 256]);
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("what is no longer allowed when the upstream answers is not opened", async () => {
  let answerNow: (() => void) | undefined;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      answerNow = () => reply(answerTo(message, ["203.0.113.1"]));
      asked.resolve();
    },
  });
  let asked = Promise.withResolvers<void>();
  let index: AskerIndex | undefined;
  const { ask, answerer, topology, guarded, grants, problems } = startOneNetwork({
    allow: "*.example.org",
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail() },
  });
  const use = (lists: (typeof guarded)[number]["lists"]): void => {
    const policies = guarded.map((network) => ({ ...network, lists }));
    index = new AskerIndex({ topology, guarded: policies, services: [], quarantined: [] });
    answerer.useTopology(topology, policies);
  };
  const lists = guarded[0]?.lists ?? [];
  const askDuring = async (name: string, change: () => void): Promise<unknown> => {
    asked = Promise.withResolvers<void>();
    const answer = ask(name);
    await asked.promise;
    change();
    answerNow?.();
    return decodeMessage(await answer).rcode;
  };
  try {
    use(lists);
    assert.equal(await askDuring("kept.example.org", () => use(lists)), "NOERROR");
    assert.equal(grants.length, 1);
    assert.equal(await askDuring("narrowed.example.org", () => use([])), "SERVFAIL");
    assert.equal(grants.length, 1);
    assert.match(problems.join(), /narrowed\.example\.org failed: the name is no longer allowed/);
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("what ends while the upstream takes its time is not opened, and told as what it is", async () => {
  let asked = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asked += 1;
      if (asked === 1) setTimeout(() => reply(answerTo(message, ["203.0.113.1"])), 350);
    },
  });
  let index: AskerIndex | undefined;
  const { ask, answerer, topology, guarded, grants, problems } = startOneNetwork({
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail() },
  });
  // The shortest lease is a second.
  const lists = [listOf("www.example.org", monotonicMs() + 1_300)];
  const policies = guarded.map((network) => ({ ...network, lists }));
  index = new AskerIndex({ topology, guarded: policies, services: [], quarantined: [] });
  answerer.useTopology(topology, policies);
  try {
    assert.equal(decodeMessage(await ask("www.example.org")).rcode, "SERVFAIL");
    assert.deepEqual(grants, []);
    assert.match(
      problems.join(),
      /www\.example\.org failed: the name is no longer allowed: what allowed it ended, or was changed, during/,
    );
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("what is allowed for a time is open for no longer, though another answer renews it", async () => {
  const addresses = ["10.1.2.3", "203.0.113.1"];
  let asked = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [addresses[asked++ % 2] ?? ""], { ttl: 0 })),
  });
  const sets = createFakeSets(monotonicMs);
  createSets(sets);
  let index: AskerIndex | undefined;
  const { ask, answerer, topology, guarded } = startOneNetwork({
    upstreams: [upstream],
    options: {
      admission: startAdmission({ sets, graceSeconds: 300, nowMs: monotonicMs }),
      indexNow: () => index ?? assert.fail(),
    },
  });
  const lists = [
    listOf("www.example.org:443/tcp"),
    listOf("www.example.org@10.0.0.0/8:443/tcp", monotonicMs() + 60_000),
  ];
  const policies = guarded.map((network) => ({ ...network, lists }));
  index = new AskerIndex({ topology, guarded: policies, services: [], quarantined: [] });
  answerer.useTopology(topology, policies);
  try {
    for (let i = 0; i < 4; i++) assert.equal(decodeMessage(await ask("www.example.org")).rcode, "NOERROR");
    const left = sets.list(setNames.grant4).map(({ timeoutSeconds = 0 }) => timeoutSeconds);
    const [first = 0, second = 0] = left;
    assert.ok(left.length === 2 && first <= 60 && second > 60, left.join(" and "));
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("a newcomer who may lose the name is not granted it before the engine tells whose the address is", async () => {
  let asks = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asks++;
      reply(answerTo(message, ["203.0.113.7"]));
    },
  });
  let index: AskerIndex | undefined;
  const started = startOneNetwork({
    allow: "www.example.com",
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail() },
  });
  const { topology, guarded, answerer, grants, ask } = started;
  const starting = newContainer("strict", "n1");
  const show = (container: typeof starting): void => {
    const services = [
      { containerId: "strict", name: "strict", addresses: [], lists: [listOf("!www.example.com")] },
    ];
    const containers = [container];
    index = new AskerIndex({ topology: { ...topology, containers }, guarded, services, quarantined: [] });
    answerer.useTopology({ ...topology, containers }, guarded);
  };
  try {
    show(starting);
    const asked = ask("www.example.com");
    show(runningContainer("strict", "n1", "198.18.0.2"));
    assert.equal(decodeMessage(await asked).rcode, "NXDOMAIN");
    assert.deepEqual([asks, grants], [0, []]);
    assert.equal(decodeMessage(await ask("www.example.com", "198.18.0.3")).rcode, "NOERROR");
    assert.equal(grants.length, 1);
  } finally {
    await upstream.close();
  }
});
