import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  anyService,
  renderService,
  type Service,
  serviceCovers,
} from "../../../../src/core/model/service.ts";
import { intersectServices, subtractServices } from "../../../../src/core/model/service-set.ts";
import { services } from "../../../support/random-policies.ts";

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

/** Where ranges of the samples begin and end, and their neighbours. */
const sampledPorts = [
  ...Array.from({ length: 16 }, (_, index) => index + 1),
  ...Array.from({ length: 16 }, (_, index) => index + 49),
  443,
  65_529,
  65_530,
  65_534,
  65_535,
];
const points = [
  ...[6, 17].flatMap((protocol) => sampledPorts.map((port) => [protocol, port] as const)),
  [1, undefined] as const,
];

const modelOf = (set: readonly Service[]): readonly boolean[] =>
  points.map(([protocol, port]) => set.some((service) => serviceCovers(service, protocol, port)));

describe("sets of services are sets of packets", () => {
  const sets = fc.array(services, { maxLength: 5 });
  const runs = { numRuns: 2000 };
  it("difference and intersection", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const [inA, inB] = [modelOf(a), modelOf(b)];
        assert.deepEqual(
          modelOf(subtractServices(a, b)),
          inA.map((covered, index) => covered && !inB[index]),
        );
        assert.deepEqual(
          modelOf(intersectServices(a, b)),
          inA.map((covered, index) => covered && inB[index]),
        );
      }),
      runs,
    );
  });
  it("what is left is in canonical form, and can be taken apart again", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const left = subtractServices(a, b);
        assert.deepEqual(subtractServices(left, []), left);
        assert.deepEqual(subtractServices(left, b), left);
        assert.deepEqual(subtractServices(left, [anyService]), []);
        assert.deepEqual(subtractServices([...left, ...a], []), subtractServices(a, []));
      }),
      runs,
    );
  });
  it("everything but the complement of a set is the set", () => {
    fc.assert(
      fc.property(sets, (a) => {
        const outside = subtractServices([anyService], a);
        assert.deepEqual(subtractServices([anyService], outside), subtractServices(a, []));
      }),
      runs,
    );
  });
});
