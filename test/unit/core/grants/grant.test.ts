import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseComment } from "../../../../src/core/grants/comment.ts";
import type { Grant } from "../../../../src/core/grants/grant.ts";
import { GrantLedger } from "../../../../src/core/grants/ledger.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { anyService, type Service } from "../../../../src/core/model/service.ts";

const asker = "198.19.1.2" as IpAddress;
const neighbour = "198.19.1.3" as IpAddress;
const destination = "203.0.113.10" as IpAddress;
const https: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
const wide: Service = { protocol: "udp", ports: { from: 8000, to: 9000 } };

function grant(service: Service, leaseSeconds = 300, domain = "www.example.com"): Grant {
  return { asker, destination, domain, service, leaseSeconds };
}

function ledgerWith(...grants: Grant[]): GrantLedger {
  const ledger = new GrantLedger({ pairsPerAsker: 3, renewalGainSeconds: 0 });
  ledger.record(grants, 0);
  return ledger;
}

describe("GrantLedger.entriesFor", () => {
  const cases: readonly [name: string, service: Service, entries: readonly string[]][] = [
    ["one port", https, ["grant 6:443"]],
    [
      "one port of either protocol",
      { protocol: "any", ports: { from: 53, to: 53 } },
      ["grant 6:53", "grant 17:53"],
    ],
    [
      "a short range",
      { protocol: "tcp", ports: { from: 1, to: 3 } },
      ["grant 6:1", "grant 6:2", "grant 6:3"],
    ],
    [
      "a range with the port of DNS in it, which only counts by itself",
      { protocol: "udp", ports: { from: 52, to: 54 } },
      ["grant 17:52", "grant 17:54"],
    ],
    ["a wide range", wide, ["pair 17:8000", "ask 0:0"]],
    ["every port and protocol", anyService, ["pair 6:0", "grant 6:80", "grant 6:443", "ask 0:0"]],
    ["every udp port", { protocol: "udp", ports: "any" }, ["pair 17:1", "ask 0:0"]],
  ];
  for (const [name, service, expected] of cases) {
    it(name, () => {
      const entries = ledgerWith().entriesFor([grant(service)], 0);
      assert.deepEqual(
        entries.map((entry) => `${entry.set} ${entry.protocol}:${entry.port}`),
        expected,
      );
      assert.ok(entries.every((entry) => entry.timeoutSeconds === 300));
    });
  }

  it("never shortens a longer lease", () => {
    const ledger = ledgerWith(grant(https, 1000));
    assert.equal(ledger.entriesFor([grant(https, 10)], 0)[0]?.timeoutSeconds, 1000);
  });

  it("keeps asking for an address as long as any container has a right to it", () => {
    const ledger = ledgerWith({ ...grant(anyService, 1000), asker: neighbour });
    const ask = ledger.entriesFor([grant(anyService, 10)], 0).find((entry) => entry.set === "ask");
    assert.equal(ask?.timeoutSeconds, 1000);
  });

  it("keeps hostile names out of comments", () => {
    const [entry] = ledgerWith().entriesFor([grant(https, 10, 'a"\n\x1b[2J.example.com')], 0);
    assert.equal(entry?.comment, "a???\x5b2J.example.com".replace("[", "?"));
  });
});

describe("GrantLedger.exceedsLimit", () => {
  const to = (last: number): Grant => ({ ...grant(https), destination: `203.0.113.${last}` as IpAddress });

  it("counts what is open, and not what was taken away", () => {
    const full = (): GrantLedger => ledgerWith(to(1), to(2), to(3));
    assert.equal(full().exceedsLimit([to(4)]), true);
    const narrowed = full();
    narrowed.narrow(asker, (destination, right) =>
      destination === "203.0.113.1" ? [] : [{ ...right, endsAtMs: Number.POSITIVE_INFINITY }],
    );
    assert.equal(narrowed.exceedsLimit([to(4)]), false);
    assert.equal(narrowed.exceedsLimit([to(4), to(5)]), true);
    const dropped = full();
    dropped.drop(asker, "203.0.113.2" as IpAddress, { protocol: 6, port: 443 });
    assert.equal(dropped.exceedsLimit([to(4)]), false);
  });
});

describe("GrantLedger.withEarlier", () => {
  const pool = Array.from({ length: 16 }, (_, i) => `203.0.113.${i + 1}` as IpAddress);
  const leaseSeconds = 360;
  /** One lookup: what the answer grants, and what is renewed with it. */
  function lookUp(
    ledger: GrantLedger,
    nowMs: number,
    to: IpAddress,
    change: Partial<Grant> = {},
  ): readonly Grant[] {
    const grants = [{ ...grant(https, leaseSeconds), destination: to, ...change }];
    const all = ledger.withEarlier(grants, nowMs);
    ledger.record(all, nowMs);
    return all;
  }
  const isOpen = (ledger: GrantLedger, nowMs: number) => (to: IpAddress) => ledger.isOpen(asker, to, nowMs);

  it("keeps every address of a name that gives one of many every 2 s, while it is used, and then closes all", () => {
    const ledger = ledgerWith();
    // Each comes round after 480 s, later than its lease of 360 s ends.
    const many = Array.from({ length: 240 }, (_, i) => `203.0.113.${i + 1}` as IpAddress);
    let renewals = 0;
    for (let second = 0; second <= 600; second += 2) {
      const to = many[(second / 2) % many.length] ?? destination;
      renewals += lookUp(ledger, second * 1000, to).length - 1;
      ledger.sweep(second * 1000);
      const given = many.slice(0, second / 2 + 1);
      assert.ok(given.every(isOpen(ledger, second * 1000)), `after ${second} s`);
    }
    assert.ok(renewals <= many.length * (600 / 30), `${renewals} renewals`);
    assert.ok(many.every(isOpen(ledger, (600 + leaseSeconds - 32) * 1000)));
    assert.ok(!many.some(isOpen(ledger, (600 + leaseSeconds) * 1000)));
  });

  it("keeps addresses that come no more for an hour, renewing each every half minute", () => {
    const ledger = ledgerWith();
    for (const [i, to] of pool.entries()) lookUp(ledger, i * 2_000, to);
    let renewals = 0;
    for (let second = 60; second <= 4_800; second += 2) {
      renewals += lookUp(ledger, second * 1000, destination).length - 1;
      ledger.sweep(second * 1000);
      const others = pool.filter((to) => to !== destination);
      if (second < 3_600) assert.ok(others.every(isOpen(ledger, second * 1000)), `after ${second} s`);
      if (second >= 3_600 + 32) assert.ok(!others.some(isOpen(ledger, second * 1000)), `after ${second} s`);
    }
    assert.ok(renewals <= 15 * (3_600 / 30), `${renewals} renewals`);
  });

  it("renews for the asker, the name and the service that are looked up, and reopens nothing", () => {
    const [one = destination, two = destination] = pool;
    const others: readonly Partial<Grant>[] = [
      { asker: neighbour },
      { domain: "other.example.com" },
      { service: wide },
    ];
    for (const change of others) {
      const ledger = ledgerWith();
      lookUp(ledger, 0, one);
      assert.equal(lookUp(ledger, 100_000, two, change).length, 1);
    }
    const ledger = ledgerWith();
    lookUp(ledger, 0, one);
    assert.equal(lookUp(ledger, 359_000, two).length, 2);
    assert.equal(lookUp(ledger, 359_000 + 360_000, two).length, 1);
    ledger.forget(asker);
    assert.equal(lookUp(ledger, 720_000, two).length, 1);
  });

  it("remembers so many addresses of a name and of an asker, and no more", () => {
    const ledger = new GrantLedger({ pairsPerAsker: 100_000, renewalGainSeconds: 0 });
    const address = (i: number): IpAddress => `203.${i >> 16}.${(i >> 8) & 255}.${i & 255}` as IpAddress;
    for (let i = 0; i < 1_000; i++) lookUp(ledger, 0, address(i));
    assert.equal(lookUp(ledger, 100_000, address(1_000)).length, 257);
    for (let i = 0; i < 20_000; i++) lookUp(ledger, 100_000, address(0), { domain: `n${i}.example.com` });
    assert.equal(lookUp(ledger, 200_000, address(2_000)).length, 1);
  });
});

describe("GrantLedger.judge", () => {
  const ledger = ledgerWith(grant(wide, 100), {
    ...grant(anyService, 50),
    destination: "203.0.113.11" as IpAddress,
  });
  const cases: readonly [
    name: string,
    from: IpAddress,
    to: string,
    protocol: number,
    port: number | undefined,
    atMs: number,
    left: number | undefined,
  ][] = [
    ["inside the range", asker, destination, 17, 8500, 0, 100],
    ["beside the range", asker, destination, 17, 9001, 0, undefined],
    ["another protocol", asker, destination, 6, 8500, 0, undefined],
    ["a neighbour", neighbour, destination, 17, 8500, 0, undefined],
    ["after the lease", asker, destination, 17, 8500, 100_000, undefined],
    ["any protocol", asker, "203.0.113.11", 47, undefined, 1000, 49],
  ];
  for (const [name, from, to, protocol, port, atMs, left] of cases) {
    it(name, () => {
      assert.equal(ledger.judge(from, to as IpAddress, { protocol, port }, atMs)?.secondsLeft, left);
    });
  }
});

describe("GrantLedger limits", () => {
  it("counts distinct destinations of one asker", () => {
    const ledger = ledgerWith(grant(https), { ...grant(https), destination: "203.0.113.11" as IpAddress });
    const fresh = (last: number): Grant => ({
      ...grant(https),
      destination: `203.0.113.${last}` as IpAddress,
    });
    assert.equal(ledger.exceedsLimit([grant(https), fresh(12)]), false);
    assert.equal(ledger.exceedsLimit([fresh(12), fresh(13)]), true);
    ledger.sweep(400_000);
    assert.equal(ledger.exceedsLimit([fresh(12), fresh(13)]), false);
  });
});

describe("parseComment", () => {
  const services: readonly Service[] = [anyService, wide, { protocol: "udp", ports: "any" }];
  for (const service of services) {
    it(`reads back ${JSON.stringify(service)}`, () => {
      const pair = ledgerWith()
        .entriesFor([grant({ ...service })], 0)
        .find((entry) => entry.set === "pair");
      assert.deepEqual(parseComment(pair?.comment ?? ""), { service, domain: "www.example.com" });
    });
  }
});
