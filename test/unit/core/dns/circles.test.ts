// Whose lookups would come back to themselves: a resolver in a guarded container that is asked on behalf of itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findCircles } from "../../../../src/core/dns/circles.ts";
import { hostPrefix, type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../../../src/core/model/guarded-network.ts";
import type { Container, Topology } from "../../../../src/core/model/topology.ts";
import type { Upstream } from "../../../../src/core/model/upstream.ts";
import { bridgeNetwork, guardedNetwork, runningContainer, unlabelled } from "../../../support/topologies.ts";

const ip = (text: string): IpAddress => parseAddress(text) ?? assert.fail(text);
const at = (...addresses: readonly string[]): Upstream[] =>
  addresses.map((address) => ({ address: ip(address), port: 53 }));

const networks = [
  bridgeNetwork("app", "198.18.1.0/24", "2001:db8:1::/64"),
  bridgeNetwork("dns", "198.18.2.0/24"),
  bridgeNetwork("plain", "198.18.3.0/24"),
];
const containers = [
  runningContainer("web", "app", "198.18.1.2"),
  runningContainer("forwarder", "app", "198.18.1.53"),
  runningContainer("other", "dns", "198.18.2.53"),
  runningContainer("free", "plain", "198.18.3.53"),
];

interface Case {
  readonly host: readonly Upstream[];
  /** Labels by network; `app` and `dns` are guarded. */
  readonly labels?: Readonly<Record<string, readonly Upstream[]>>;
  readonly containers?: readonly Container[];
}

function circlesOf({ host, labels = {}, ...change }: Case): {
  /** What each container's lookups are refused for, and whom they may ask. */
  readonly asks: (name: string) => readonly string[] | string;
  readonly sentences: readonly string[];
} {
  const topology: Topology = { networks, containers: change.containers ?? containers };
  const guarded: readonly GuardedNetwork[] = networks
    .filter(({ id }) => id !== "plain")
    .map((network) => {
      const upstream = labels[network.id];
      return { ...guardedNetwork(network), labels: { ...unlabelled, upstream } };
    });
  const circles = findCircles({
    topology,
    guarded,
    upstreams: host,
    own: [hostPrefix(ip("192.0.2.10"))],
  });
  return {
    sentences: circles.sentences,
    asks: (name) => {
      const [endpoint] = topology.containers.find(({ id }) => id === name)?.endpoints ?? assert.fail(name);
      const network = guarded.find(({ id }) => id === endpoint?.networkId);
      const allowed = circles.allowed(network?.labels.upstream, endpoint?.addresses ?? []);
      return "circle" in allowed ? allowed.circle : (allowed.choice ?? host).map(({ address }) => address);
    },
  };
}

test("circles: a resolver outside, or in a container that is not guarded, is none", () => {
  for (const host of [at("192.0.2.1"), at("198.18.3.53"), at("127.0.0.1"), []]) {
    const { asks, sentences } = circlesOf({ host });
    assert.deepEqual(sentences, []);
    for (const name of ["web", "forwarder", "other"])
      assert.deepEqual(
        asks(name),
        host.map(({ address }) => address),
      );
  }
});

test("circles: the host's resolver in a guarded container is asked by others, and never by itself", () => {
  const { asks, sentences } = circlesOf({ host: at("198.18.1.53") });
  assert.deepEqual(asks("web"), ["198.18.1.53"]);
  assert.match(String(asks("forwarder")), /198\.18\.1\.53 is container "forwarder".*come back here/);
  assert.equal(sentences.length, 1);
  assert.match(
    sentences[0] ?? "",
    /^the host's resolver 198\.18\.1\.53 is container "forwarder" on guarded network "app", whose own lookups come back to it: .*without dockerwall\.allow.*DOCKERWALL_UPSTREAM.*dockerwall\.upstream/,
  );
});

test("circles: a label that names a container of its own network", () => {
  const { asks, sentences } = circlesOf({ host: at("192.0.2.1"), labels: { app: at("198.18.1.53") } });
  assert.match(String(asks("forwarder")), /come back here/);
  assert.deepEqual(asks("other"), ["192.0.2.1"]);
  assert.match(sentences.join(), /^network "app", label dockerwall\.upstream: 198\.18\.1\.53 is container/);
});

test("circles: a resolver on a guarded network of its own with another resolver is none", () => {
  const labels = { app: at("198.18.2.53") };
  for (const host of [at("192.0.2.1"), at("198.18.3.53")]) {
    const { asks, sentences } = circlesOf({ host, labels });
    assert.deepEqual(sentences, []);
    assert.deepEqual(asks("web"), ["198.18.2.53"]);
  }
});

test("circles: one that leads through two networks", () => {
  const { asks, sentences } = circlesOf({
    host: at("192.0.2.1"),
    labels: { app: at("198.18.2.53"), dns: at("198.18.1.53") },
  });
  // The first that is asked asks the second, and that one asks nobody.
  for (const name of ["forwarder", "other"]) assert.match(String(asks(name)), /come back here/);
  assert.deepEqual(asks("web"), ["198.18.2.53"]);
  assert.equal(sentences.length, 2);
});

test("circles: who has another resolver too asks that one, and no sentence says so", () => {
  const { asks, sentences } = circlesOf({ host: at("198.18.1.53", "192.0.2.1") });
  assert.deepEqual(asks("forwarder"), ["192.0.2.1"]);
  assert.deepEqual(asks("web"), ["198.18.1.53", "192.0.2.1"]);
  assert.deepEqual(sentences, []);
});

test("circles: a container that the engine has not told of yet, by its address", () => {
  const { asks, sentences } = circlesOf({
    host: at("198.18.1.77"),
    containers: [...containers, runningContainer("late", "app", "198.18.1.78")],
  });
  assert.deepEqual(asks("late"), ["198.18.1.77"]);
  assert.match(sentences.join(), /198\.18\.1\.77 is an address of guarded network "app"/);
});

test("circles: IPv6, and every address of a container on several networks", () => {
  const both: Container = {
    ...runningContainer("both", "app", "198.18.1.60"),
    endpoints: [
      { networkId: "app", addresses: [ip("198.18.1.60"), ip("2001:db8:1::60")], aliases: [], links: [] },
      { networkId: "plain", addresses: [ip("198.18.3.60")], aliases: [], links: [] },
    ],
  };
  for (const address of ["198.18.1.60", "2001:db8:1::60", "198.18.3.60"]) {
    const { asks } = circlesOf({ host: at(address), containers: [...containers, both] });
    assert.match(String(asks("both")), /come back here/, address);
  }
});

test("circles: a published port of a guarded container, at the host's own addresses", () => {
  const published = (address: string): Container[] => [
    ...containers,
    {
      ...runningContainer("hole", "app", "198.18.1.70"),
      published: [{ address: ip(address), port: 53 }],
    },
  ];
  const isCircle = (address: string, resolver: string): boolean =>
    typeof circlesOf({ host: at(resolver), containers: published(address) }).asks("hole") === "string";
  for (const resolver of ["127.0.0.1", "192.0.2.10"]) {
    assert.ok(isCircle("0.0.0.0", resolver));
    assert.ok(isCircle(resolver, resolver));
  }
  assert.ok(!isCircle("0.0.0.0", "192.0.2.1"), "another host's");
  assert.ok(!isCircle("127.0.0.2", "127.0.0.1"), "another address");
});

test("circles: a stub of the host's that asks a guarded container", () => {
  const stub: Upstream = { address: ip("127.0.0.53"), port: 53, leadsTo: [ip("198.18.1.53")] };
  const { asks, sentences } = circlesOf({ host: [stub] });
  assert.match(String(asks("forwarder")), /come back here/);
  assert.deepEqual(asks("web"), ["127.0.0.53"]);
  assert.match(
    sentences.join(),
    /^the host's resolver 127\.0\.0\.53 asks 198\.18\.1\.53, which is container "forwarder"/,
  );
});
