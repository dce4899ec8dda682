// What is open from where the ranges of networks overlap: what the narrowest range opens, as a kernel set finds it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { EntrySources } from "../../../../../src/core/firewall/entries/by-source.ts";
import { hostMembers } from "../../../../../src/core/firewall/entries/host.ts";
import { resolverMembers } from "../../../../../src/core/firewall/entries/resolver.ts";
import {
  type IpAddress,
  type Prefix,
  parsePrefix,
  prefixContains,
} from "../../../../../src/core/model/address.ts";
import { listOf } from "../../../../support/policies.ts";

const prefixOf = (text: string): Prefix => parsePrefix(text) ?? assert.fail(text);
const network = (name: string, allow: string, ...subnets: string[]) => ({
  ...{ name, subnets: subnets.map(prefixOf), lists: [listOf(allow)] },
});
const nobody: EntrySources["containers"] = { services: [], unguarded: [] };

/** Of those that include the address, the longest prefix decides; undefined where none does. */
function deciding<M extends { readonly prefix: Prefix; readonly exception?: boolean }>(
  members: readonly M[],
  address: string,
): M | undefined {
  const around = members.filter(({ prefix }) => prefixContains(prefix, address as IpAddress));
  const longest = Math.max(...around.map(({ prefix }) => prefix.length));
  const found = around.filter(({ prefix }) => prefix.length === longest);
  assert.ok(found.length <= 1, "the kernel has one member for one prefix");
  return found[0]?.exception === true ? undefined : found[0];
}

function openPorts(sources: EntrySources, address: string): readonly number[] {
  const members = hostMembers(sources).filter(({ service }) => service.protocol === 6);
  const ports = [...new Set(members.map(({ service }) => service.port))];
  return ports
    .filter((port) =>
      deciding(
        members.filter(({ service }) => service.port === port),
        address,
      ),
    )
    .toSorted((one, other) => one - other);
}

const nested = [
  network("wide", "host:1/tcp host:2/tcp", "198.18.0.0/15", "2001:db8::/32"),
  network("middle", "host:2/tcp host:3/tcp", "198.18.0.0/16", "2001:db8:1::/48"),
  network("narrow", "host:1/tcp", "198.18.5.0/24", "2001:db8:1:5::/64"),
];

describe("ports of the host", () => {
  for (const order of [nested, nested.toReversed()]) {
    const first = order[0]?.name;
    for (const [address, ports] of [
      ["198.19.0.2", [1, 2]],
      ["198.18.0.2", [2, 3]],
      ["198.18.5.2", [1]],
      ["2001:db8:2::2", [1, 2]],
      ["2001:db8:1::2", [2, 3]],
      ["2001:db8:1:5::2", [1]],
    ] as const)
      it(`from ${address}, ${first} told first`, () =>
        assert.deepEqual(openPorts({ guarded: order, containers: nobody }, address), ports));
  }

  it("of one range that two networks have, those that both open", () => {
    const guarded = [
      network("one", "host:1/tcp host:2/tcp", "198.18.0.0/16"),
      network("other", "host:2/tcp host:3/tcp", "198.18.0.0/16"),
    ];
    assert.deepEqual(openPorts({ guarded, containers: nobody }, "198.18.0.2"), [2]);
  });

  it("for a container with a list of its own, beside the narrowest network's", () => {
    const service = { containerId: "c", name: "c", addresses: ["198.18.5.2" as IpAddress] };
    const services = [{ ...service, lists: [listOf("host:2/tcp !host:1/tcp")] }];
    const sources = { guarded: nested, containers: { ...nobody, services } };
    assert.deepEqual(openPorts(sources, "198.18.5.2"), [2]);
    assert.deepEqual(openPorts(sources, "198.18.5.3"), [1]);
  });

  it("none from a range without lists, but for a container that is known there", () => {
    const within = [{ prefix: prefixOf("198.18.7.0/24"), name: "open", lists: undefined }];
    const unguarded = [
      { name: "c", addresses: ["198.18.7.2" as IpAddress], policies: [[listOf("host:3/tcp host:4/tcp")]] },
    ];
    const sources = { guarded: nested, within, containers: { ...nobody, unguarded } };
    assert.deepEqual(openPorts(sources, "198.18.7.2"), [3, 4]);
    assert.deepEqual(openPorts(sources, "198.18.7.3"), []);
    assert.deepEqual(openPorts(sources, "198.18.8.2"), [2, 3]);
  });

  it("of two containers with one address, none that one of them is not to have", () => {
    const within = [{ prefix: prefixOf("198.18.5.2/32"), name: "astray", lists: undefined }];
    const own = { containerId: "c", name: "c", addresses: ["198.18.5.2" as IpAddress] };
    const unguarded = [
      { name: "d", addresses: own.addresses, policies: [[listOf("host:1/tcp host:9/tcp")]] },
    ];
    const services = [{ ...own, lists: [listOf("host:2/tcp")] }];
    const sources = { guarded: nested, within, containers: { services, unguarded } };
    assert.deepEqual(openPorts(sources, "198.18.5.2"), [9]);
  });
});

it("servers whose port 53 an entry names are the narrowest network's", () => {
  const guarded = [
    network("wide", "203.0.113.9:53/udp", "198.18.0.0/16"),
    network("narrow", "203.0.113.0/24", "198.18.5.0/24"),
  ];
  const members = resolverMembers({ guarded, containers: nobody });
  assert.equal(deciding(members, "198.18.4.2")?.server, "203.0.113.9");
  assert.equal(deciding(members, "198.18.5.2"), undefined);
});

it("whatever ranges there are, an address has what is open from the narrowest", () => {
  const ports = fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
  const range = fc.record({
    at: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 24, max: 31 }),
    ports,
  });
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), fc.integer({ min: 0, max: 255 }), (ranges, last) => {
      const guarded = ranges.map(({ at, length, ports: open }, index) =>
        network(
          `n${index}`,
          open.map((port) => `host:${port}/tcp`).join(" "),
          `198.18.0.${at * 16}/${length}`,
        ),
      );
      const address = `198.18.0.${last}`;
      const lengths = guarded.map(({ subnets: [subnet] }) =>
        subnet !== undefined && prefixContains(subnet, address as IpAddress) ? subnet.length : 0,
      );
      const longest = Math.max(1, ...lengths);
      const narrowest = ranges.filter((_, index) => lengths[index] === longest);
      const expected = [1, 2, 3, 4].filter(
        (port) => narrowest.length > 0 && narrowest.every((each) => each.ports.includes(port)),
      );
      assert.deepEqual(openPorts({ guarded, containers: nobody }, address), expected);
    }),
  );
});
