// Grants against the kernel's own sets, which are smaller here than what is put into them.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setNames } from "../../../src/core/firewall/names.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { anyService, type Service } from "../../../src/core/model/service.ts";
import { compileList } from "../../../src/core/policy/entry-list.ts";
import { taken } from "../../../src/core/taker.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { type KernelSets, openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

/** The entries of all sets as the tool prints them, without what changes by itself. */
function entries(): string[] {
  return run("ipset", "save")
    .split("\n")
    .filter((line) => line.startsWith("add "))
    .map((line) => line.replace(/ (timeout|packets|bytes) \d+/g, ""))
    .sort();
}

function createSmallSets(maxEntries: number): KernelSets {
  const sets = openKernelSets();
  for (const spec of setSpecs())
    sets.create(spec.name === setNames.grant4 ? { ...spec, hashSize: 1024, maxEntries } : spec);
  return sets;
}

/** Whether a datagram of the asker's arrives there, by a rule like that of first packets. */
async function passes(asker: string, destination: string, port: number): Promise<boolean> {
  const [client, server] = [createSocket("udp4"), createSocket("udp4")];
  try {
    server.bind(port, destination);
    client.bind(0, asker);
    await Promise.all([once(server, "listening"), once(client, "listening")]);
    const arrived = once(server, "message").then(() => true);
    client.send("first", port, destination);
    return await Promise.race([arrived, sleep(200, false)]);
  } finally {
    client.close();
    server.close();
  }
}

test("of the answers of one turn those fail that the kernel refuses, and the packets of the others pass", async () => {
  run("ip", "link", "set", "lo", "up");
  // Two ports of one address are two entries: of five answers two fit, and a fifth one, of one entry, does, too.
  const sets = createSmallSets(5);
  run(
    "iptables-nft",
    ..."-A INPUT -i lo -p udp -m set ! --match-set".split(" "),
    setNames.grant4,
    ..."dst,dst,src -j DROP".split(" "),
  );
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
  const wide: Service = { protocol: "udp", ports: { from: 7000, to: 7001 } };
  const narrow: Service = { protocol: "udp", ports: { from: 7000, to: 7000 } };
  const answers = [wide, wide, wide, wide, narrow].map((service, at) => ({
    asker: `127.0.1.${at + 1}` as IpAddress,
    destination: `127.0.2.${at + 1}` as IpAddress,
    domain: "www.example.org",
    service,
    leaseSeconds: 300,
  }));
  const outcomes = await Promise.allSettled(
    answers.map((grant) =>
      taken<number>((taker) =>
        admission.admitInTurn({ grants: [grant], networkOf: () => "n1", holder: undefined }, taker),
      ),
    ),
  );
  const admitted = [true, true, false, false, true];
  assert.deepEqual(
    outcomes.map(({ status }) => status === "fulfilled"),
    admitted,
  );
  assert.match(String((outcomes[2] as PromiseRejectedResult).reason), /full/);
  for (const [at, { asker, destination }] of answers.entries())
    assert.equal(await passes(asker, destination, 7000), admitted[at], `answer ${at}`);
  assert.equal(sets.list(setNames.grant4).length, 5);
  sets.close();
  run("iptables-nft", "-F", "INPUT");
  run("ipset", "flush");
  run("ipset", "destroy");
});

test("a grant that the kernel takes half of is taken back whole", () => {
  const sets = createSmallSets(100);
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
  const grantsTo = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      asker: "198.18.0.2" as IpAddress,
      destination: `203.0.113.${from + i}` as IpAddress,
      domain: "www.example.org",
      service: anyService,
      leaseSeconds: 300,
    }));
  admission.admit(grantsTo(1, 20), () => "n1");
  const before = entries();
  assert.equal(before.length, 20 * 4);
  // 160 entries are new and 60 fit, in more than one message to the kernel.
  assert.throws(() => admission.admit(grantsTo(1, 100), () => "n1"), /full|refused/);
  assert.deepEqual(entries(), before);
  admission.admit(grantsTo(21, 20), () => "n1");
  assert.equal(entries().length, 40 * 4);
  sets.close();
});

test("who is started again keeps what the kernel has, for no less time", () => {
  const sets = openKernelSets();
  run("ipset", "flush");
  const grantFor = (leaseSeconds: number) => ({
    asker: "198.18.0.2" as IpAddress,
    destination: "203.0.113.1" as IpAddress,
    domain: "www.example.org",
    service: { protocol: "any", ports: { from: 443, to: 443 } } as const,
    leaseSeconds,
  });
  startAdmission({ sets, graceSeconds: 300, nowMs: monotonicMs }).admit([grantFor(3_900)], () => "n1");
  const next = startAdmission({ sets, graceSeconds: 300, nowMs: monotonicMs });
  const packet = { source: "198.18.0.2" as IpAddress, destination: "203.0.113.1" as IpAddress, port: 443 };
  assert.ok((next.secondsLeft({ ...packet, protocol: 17 }) ?? 0) > 3_890);
  next.admit([grantFor(360)], () => "n1");
  const timeouts = sets.list(setNames.grant4).map(({ timeoutSeconds = 0 }) => timeoutSeconds);
  assert.equal(timeouts.length, 2);
  assert.ok(Math.min(...timeouts) > 3_890, String(timeouts));
  sets.close();
});

test("what is allowed for a time only from now on ends with it in the kernel", () => {
  const sets = openKernelSets();
  run("ipset", "flush");
  const asker = "198.18.0.2" as IpAddress;
  const admission = startAdmission({ sets, graceSeconds: 300, nowMs: monotonicMs });
  const rejudge = (endsAtMs: number | undefined): void => {
    const policy = { network: "n", lists: [compileList(listOf("a.example.com:443", endsAtMs))] };
    const place = { networkId: "n", networkName: "n", labels: unlabelled, gateways: [], addresses: [asker] };
    const view = {
      epoch: String(endsAtMs),
      keyOf: () => "key",
      membershipsOf: () => [{ ...place, internal: false, policy }],
    };
    admission.rejudge(view, () => undefined);
  };
  admission.own(asker, "sandbox");
  rejudge(undefined);
  const grant = {
    asker,
    destination: "203.0.113.1" as IpAddress,
    domain: "a.example.com",
    service: { protocol: "any", ports: { from: 443, to: 443 } } as const,
    leaseSeconds: 3_900,
  };
  admission.admit([grant], () => "n", "sandbox");
  rejudge(monotonicMs() + 300_000);
  const timeouts = sets.list(setNames.grant4).map(({ timeoutSeconds = 0 }) => timeoutSeconds);
  assert.equal(timeouts.length, 2);
  assert.ok(Math.max(...timeouts) <= 300 && Math.min(...timeouts) > 290, String(timeouts));
  sets.close();
});
