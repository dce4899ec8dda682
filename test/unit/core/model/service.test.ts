import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseComment, renderComment } from "../../../../src/core/grants/comment.ts";
import {
  isSameService,
  renderService,
  type Service,
  serviceAtPort,
  serviceCovers,
  serviceGrants,
} from "../../../../src/core/model/service.ts";
import { subtractServices } from "../../../../src/core/model/service-set.ts";
import { parseService, splitEntry } from "../../../../src/core/policy/entry/split.ts";
import { renderSuffix } from "../../../../src/core/policy/entry.ts";
import {
  bitOf,
  bitsOf,
  everyService,
  lookupBits,
  portNumbers,
  writableServices,
} from "../../../support/naive-services.ts";

const runs = { numRuns: 1000 };

/** As it is read out of an entry. */
function readBack(service: Service): Service | undefined {
  const split = splitEntry(`www.example.com${renderSuffix(service)}`);
  if ("problem" in split) return undefined;
  const parsed = parseService(split.port, split.protocol);
  return "service" in parsed ? parsed.service : undefined;
}

const packets = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(fc.constantFrom(6, 17), portNumbers) },
  { weight: 1, arbitrary: fc.constantFrom([1, undefined] as const, [132, 443] as const) },
);

describe("serviceCovers and serviceGrants", () => {
  it("say of a packet what the service says; of port 53 only where it stands alone", () => {
    fc.assert(
      fc.property(everyService, packets, (service, [ipProtocol, port]) => {
        const bit = bitOf(ipProtocol, port);
        const covered = (bitsOf([service]) & bit) !== 0n;
        assert.equal(serviceCovers(service, ipProtocol, port), covered);
        const isAlone = service.ports !== "any" && service.ports.from === 53 && service.ports.to === 53;
        const granted = covered && ((bit & lookupBits) === 0n || isAlone);
        assert.equal(serviceGrants(service, ipProtocol, port), granted);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("serviceAtPort", () => {
  it("is that port of that protocol", () => {
    for (const [ipProtocol, protocol] of [
      [6, "tcp"],
      [17, "udp"],
    ] as const)
      assert.deepEqual(serviceAtPort(ipProtocol, 443), { protocol, ports: { from: 443, to: 443 } });
    assert.equal(serviceAtPort(132, 443), undefined);
  });
});

describe("renderService", () => {
  it("is read back from an entry", () => {
    fc.assert(
      fc.property(writableServices, (service) => assert.deepEqual(readBack(service), service)),
      runs,
    );
  });
  it("is read back from a comment in the kernel's sets", () => {
    fc.assert(
      fc.property(everyService, (service) => {
        const domain = "www.example.com";
        assert.deepEqual(parseComment(renderComment(service, domain)), { service, domain });
      }),
      runs,
    );
  });
  it("is read back of what is left of a set, with the same packets", () => {
    const sets = fc.array(everyService, { maxLength: 5 });
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const left = subtractServices(a, b);
        const read = left.map((service) => parseComment(renderComment(service, "x.example"))?.service);
        assert.deepEqual(read, left);
        const written = left.filter(({ protocol }) => protocol !== "other");
        assert.deepEqual(written.map(readBack), written);
      }),
      runs,
    );
  });
  it("is the same of the same service only, which has the same packets", () => {
    fc.assert(
      fc.property(everyService, everyService, (a, b) => {
        const isSame = isSameService(a, b);
        assert.equal(isSame, renderService(a) === renderService(b));
        assert.ok(isSameService(a, structuredClone(a)));
        if (isSame) assert.ok(bitsOf([a]) === bitsOf([b]));
      }),
      runs,
    );
  });
});
