// Which ports pass where none was asked for.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { exampleOf, openServices, renderOpenPorts } from "../../../../src/core/path/open-ports.ts";
import { policyOf } from "../../../support/policies.ts";

const address = "203.0.113.7" as IpAddress;
const either = { ipProtocol: 6, eitherProtocol: true } as const;

const cases: readonly [
  allow: string,
  names: readonly string[],
  ports: readonly string[] | undefined,
  example: string,
][] = [
  ["", [], [], "6:443"],
  ["203.0.113.7:5432/tcp", [], ["5432/tcp"], "6:5432"],
  ["203.0.113.7:5432/udp", [], ["5432/udp"], "17:5432"],
  ["203.0.113.7", [], undefined, "6:443"],
  ["203.0.113.0/24/tcp", [], ["1-52/tcp", "54-65535/tcp"], "6:443"],
  ["203.0.113.0/24:400-500 !203.0.113.7:443", [], ["400-442", "444-500"], "6:400"],
  ["203.0.113.7:9 !203.0.113.0/24", [], [], "6:443"],
  // A lookup passes only where its server is named.
  ["203.0.113.7:53", [], ["53"], "6:53"],
  ["203.0.113.7:52-54 203.0.113.0/24:53", [], ["52", "54"], "6:52"],
  ["db.example.com:5432/tcp", [], [], "6:443"],
  ["db.example.com:5432/tcp 203.0.113.7:80", ["db.example.com"], ["80/tcp", "5432/tcp", "80/udp"], "6:80"],
  ["db.example.com@198.51.100.0/24:5432", ["db.example.com"], [], "6:443"],
  ["db.example.com", ["db.example.com"], undefined, "6:443"],
];

describe("what passes of an address", () => {
  for (const [allow, names, ports, example] of cases)
    it(`${allow} ${names.join(" ")}`, () => {
      const open = openServices(policyOf("app", allow), { address, names }, 0);
      assert.deepEqual(renderOpenPorts(open, either), ports);
      const { protocol, port } = exampleOf(open, either);
      assert.equal(`${protocol}:${port}`, example);
    });

  it("by the protocol that was asked for only", () => {
    const open = openServices(
      policyOf("app", "203.0.113.7:5432/tcp 203.0.113.7:53/udp"),
      { address, names: [] },
      0,
    );
    assert.deepEqual(renderOpenPorts(open, { ipProtocol: 6 }), ["5432/tcp"]);
    assert.deepEqual(renderOpenPorts(open, { ipProtocol: 17 }), ["53/udp"]);
  });

  it("nothing where a list could not be read", () => {
    const { lists, network } = policyOf("app", "203.0.113.7");
    const closed = { network, lists: lists.map((list) => ({ ...list, closes: true })) };
    assert.deepEqual(openServices(closed, { address, names: [] }, 0), []);
  });
});
