import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { anyService, isDnsService, renderService, type Service } from "../../../../src/core/model/service.ts";
import {
  intersectServices,
  subtractServices,
  withoutNewResolvers,
} from "../../../../src/core/model/service-set.ts";
import {
  bitsOf,
  everyService,
  lookupBits,
  type PacketBits,
  writableServices,
} from "../../../support/naive-services.ts";

/** From what renderService() writes. */
function servicesOf(text: string): readonly Service[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [, ports = "", protocol = "any"] = /^([^/]*)(?:\/(.*))?$/.exec(word) ?? [];
      const [from, to = from] = ports.split("-").map(Number);
      return {
        protocol: protocol as Service["protocol"],
        ports: ports === "any" || from === undefined || to === undefined ? "any" : { from, to },
      };
    });
}

const textOf = (found: readonly Service[]): string => found.map(renderService).join(" ");

const subtracted: readonly [services: string, taken: string, left: string][] = [
  ["", "", ""],
  ["", "any", ""],
  ["any", "", "any"],
  ["any", "any", ""],
  ["any", "443", "1-442 444-65535 any/other"],
  ["any", "443/tcp", "1-442/tcp 444-65535/tcp any/udp any/other"],
  ["any", "any/tcp", "any/udp any/other"],
  ["any", "any/tcp any/udp", "any/other"],
  ["any", "1-65535", "any/other"],
  ["any", "1", "2-65535 any/other"],
  ["any", "65535", "1-65534 any/other"],
  ["443", "443", ""],
  ["443", "443/udp", "443/tcp"],
  ["443", "80", "443"],
  ["443/tcp 443/udp", "", "443"],
  ["1-5 6-9", "", "1-9"],
  ["1-5 7-9", "", "1-5 7-9"],
  ["5-9 1-6", "", "1-9"],
  ["1-9", "3-4 6", "1-2 5 7-9"],
  ["1-9", "5-20", "1-4"],
  ["5-9", "1-6", "7-9"],
  ["5-9", "1-20", ""],
  ["any/tcp", "443", "1-442/tcp 444-65535/tcp"],
  ["any/tcp", "any/udp", "any/tcp"],
  ["any/other", "any/tcp", "any/other"],
  ["any/other", "any", ""],
];

const intersected: readonly [a: string, b: string, both: string][] = [
  ["any", "any", "any"],
  ["any", "443/tcp", "443/tcp"],
  ["443", "443/udp", "443/udp"],
  ["443/tcp", "443/udp", ""],
  ["1-9", "5-20/tcp", "5-9/tcp"],
  ["any/tcp", "443", "443/tcp"],
  ["any/tcp", "any/tcp", "any/tcp"],
  ["80 443", "443 8080", "443"],
  ["any", "", ""],
];

describe("subtractServices", () => {
  for (const [from, taken, left] of subtracted)
    it(`${from || "nothing"} without ${taken || "nothing"} is ${left || "nothing"}`, () =>
      assert.equal(textOf(subtractServices(servicesOf(from), servicesOf(taken))), left));
});

describe("intersectServices", () => {
  for (const [a, b, both] of intersected)
    it(`${a} and ${b || "nothing"} have ${both || "nothing"} in common`, () => {
      assert.equal(textOf(intersectServices(servicesOf(a), servicesOf(b))), both);
      assert.equal(textOf(intersectServices(servicesOf(b), servicesOf(a))), both);
    });
});

const sets = fc.array(everyService, { maxLength: 5 });
const runs = { numRuns: 1000 };

/** The same set, otherwise written: each service cut in two, some of it twice, and the other way round. */
function rewritten(services: readonly Service[]): readonly Service[] {
  const halves = services.flatMap((service): Service[] => {
    const { protocol, ports } = service;
    if (ports === "any" || ports.from === ports.to) return [service];
    const middle = Math.floor((ports.from + ports.to) / 2);
    return [
      { protocol, ports: { from: ports.from, to: middle } },
      { protocol, ports: { from: middle + 1, to: ports.to } },
    ];
  });
  return [...halves, ...services.slice(1)].reverse();
}

const union = (a: readonly Service[], b: readonly Service[] = []): readonly Service[] =>
  subtractServices([...a, ...b], []);

describe("sets of services are sets of packets", () => {
  it("difference, intersection and union", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const [inA, inB] = [bitsOf(a), bitsOf(b)];
        assert.ok(bitsOf(subtractServices(a, b)) === (inA & ~inB));
        assert.ok(bitsOf(intersectServices(a, b)) === (inA & inB));
        assert.ok(bitsOf(union(a, b)) === (inA | inB));
      }),
      runs,
    );
  });
  it("what is left is in canonical form, and can be taken apart again", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const left = subtractServices(a, b);
        assert.deepEqual(union(left), left);
        assert.deepEqual(subtractServices(rewritten(a), rewritten(b)), left);
        assert.deepEqual(subtractServices(left, b), left);
        assert.deepEqual(subtractServices(left, [anyService]), []);
        assert.deepEqual(union(left, a), union(a));
        assert.deepEqual(intersectServices(left, rewritten(left)), left);
      }),
      runs,
    );
  });
  it("each service by itself stays as it is written", () => {
    fc.assert(
      fc.property(everyService, (service) => {
        const { protocol, ports } = service;
        const isWhole = ports !== "any" && ports.from === 1 && ports.to === 65_535 && protocol !== "any";
        assert.deepEqual(union([service]), [isWhole ? { protocol, ports: "any" } : service]);
      }),
      runs,
    );
  });
  it("everything but the complement of a set is the set", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const outside = subtractServices([anyService], a);
        assert.deepEqual(subtractServices([anyService], outside), union(a));
        assert.deepEqual(subtractServices(b, outside), intersectServices(a, b));
        assert.deepEqual(subtractServices(b, subtractServices(b, a)), intersectServices(b, a));
      }),
      runs,
    );
  });
});

describe("withoutNewResolvers", () => {
  const others = sets.map((services) => services.filter((service) => !isDnsService(service)));
  const lookups = writableServices.map(
    ({ protocol }): Service => ({ protocol, ports: { from: 53, to: 53 } }),
  );
  /** As terms have them: port 53 by itself never stands among others. */
  const terms = fc.oneof(
    { weight: 3, arbitrary: others },
    { weight: 1, arbitrary: fc.array(lookups, { maxLength: 3 }) },
  );
  /** Packets to port 53 only where it stands alone. */
  const granted = (services: readonly Service[]): PacketBits =>
    (bitsOf(services) & ~lookupBits) | bitsOf(services.filter(isDnsService));
  it("leaves nothing that was not granted before", () => {
    fc.assert(
      fc.property(terms, sets, (before, taken) => {
        const left = withoutNewResolvers(before, subtractServices(before, taken));
        assert.ok((granted(left) & ~granted(before)) === 0n);
      }),
      runs,
    );
  });
  it("leaves of what two have in common nothing that neither granted", () => {
    fc.assert(
      fc.property(terms, terms, (a, b) => {
        const both = withoutNewResolvers([...a, ...b], intersectServices(a, b));
        assert.ok((granted(both) & ~(granted(a) | granted(b))) === 0n);
      }),
      runs,
    );
  });
  it("takes away nothing but port 53, and not where that was named by itself", () => {
    fc.assert(
      fc.property(terms, sets, (before, taken) => {
        const left = subtractServices(before, taken);
        const gone = bitsOf(left) & ~bitsOf(withoutNewResolvers(before, left));
        assert.ok((gone & ~(before.some(isDnsService) ? 0n : lookupBits)) === 0n);
      }),
      runs,
    );
  });
});
