import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Grant, GrantLedger, parseComment } from "../../src/dns/grant.ts";
import type { IpAddress } from "../../src/model/address.ts";
import { anyService, type Service } from "../../src/model/service.ts";

const asker = "198.19.1.2" as IpAddress;
const neighbour = "198.19.1.3" as IpAddress;
const destination = "203.0.113.10" as IpAddress;
const https: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
const wide: Service = { protocol: "udp", ports: { from: 8000, to: 9000 } };

function grant(service: Service, leaseSeconds = 300, domain = "www.example.com"): Grant {
  return { asker, destination, domain, service, leaseSeconds };
}

function ledgerWith(...grants: Grant[]): GrantLedger {
  const ledger = new GrantLedger({ pairsPerAsker: 3 });
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

  it("never shortens a port that another right keeps open longer", () => {
    const ledger = ledgerWith(grant(anyService, 1000, "a.example.com"));
    assert.equal(ledger.entriesFor([grant(https, 10, "b.example.com")], 0)[0]?.timeoutSeconds, 1000);
  });

  it("keeps asking for an address as long as anybody has a right to it", () => {
    const ledger = ledgerWith({ ...grant(anyService, 1000), asker: neighbour });
    const ask = ledger.entriesFor([grant(anyService, 10)], 0).find((entry) => entry.set === "ask");
    assert.equal(ask?.timeoutSeconds, 1000);
  });

  it("keeps hostile names out of comments", () => {
    const [entry] = ledgerWith().entriesFor([grant(https, 10, 'a"\n\x1b[2J.example.com')], 0);
    assert.equal(entry?.comment, "a???\x5b2J.example.com".replace("[", "?"));
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
