import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import { renderService } from "../../../../src/core/model/service.ts";
import { mayLeadToHost, termsAt } from "../../../../src/core/policy/decide/led-to.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import type { Policy } from "../../../../src/core/policy/decide/policy.ts";
import { decideName, isAboveAllowed } from "../../../../src/core/policy/decide.ts";
import { renderEntry } from "../../../../src/core/policy/entry.ts";
import { compileList } from "../../../../src/core/policy/entry-list.ts";
import { listOf, policyOf, servicesAt } from "../../../support/policies.ts";

/** What the addresses of the name may be reached for, as text; `-` for a denied name. */
function decided(policy: Policy, name: string, nowMs = 0): string {
  const decision = decideName(policy, name, nowMs);
  return decision.allowed ? decision.services.map(renderService).join(" ") : "-";
}

function addressOf(text: string): IpAddress {
  return parseAddress(text) ?? assert.fail(text);
}

const names: readonly [label: string, name: string, services: string][] = [
  ["example.com", "example.com", "any"],
  ["example.com", "a.example.com", "-"],
  ["example.com", "com", "-"],
  ["example.com", "", "-"],
  ["example.com", "notexample.com", "-"],
  ["example.com", "example.com.evil.org", "-"],
  ["example.com", "evil\\.example.com", "-"],
  ["*.example.com", "example.com", "any"],
  ["*.example.com", "a.b.c.d.example.com", "any"],
  ["*.example.com", "_x.example.com", "any"],
  ["*.example.com", "xexample.com", "-"],
  ["*.example.com", "evil\\.example.com", "-"],
  ["*.example.com", "a\\.b.example.com", "any"],
  ["*.example.com", "a\\\\.example.com", "any"],
  ["*.example.com", "a\\.example.com.net", "-"],
  ["*.example.com", "example.org", "-"],
  ["*.com", "example.com", "any"],
  ["*.com", "com", "any"],
  ["*.com", "example.community", "-"],
  ["BÜCHER.example", "xn--bcher-kva.example", "any"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example", "any"],
  ["*.xn--bcher-kva.example", "a.xn--bcher-kva.example", "any"],
  ["api.example.org:443", "api.example.org", "443"],
  ["api.example.org:443 api.example.org:80/tcp", "api.example.org", "443 80/tcp"],
  ["*.example.com *.api.example.com:8443/tcp", "x.api.example.com", "8443/tcp any"],
  ["a*.example.com:443 *.example.com:80", "ab.example.com", "443 80"],
  ["a*.example.com", "b.example.com", "-"],
  ["203.0.113.7", "203.0.113.7", "-"],
  ["host:22", "host", "-"],
  ["@npm", "registry.npmjs.org", "443/tcp"],
  ["@npm:80-443", "registry.npmjs.org", "443/tcp"],
  ["@debian:80", "deb.debian.org", "80/tcp"],

  ["*.example.com !a.example.com", "a.example.com", "-"],
  ["*.example.com !a.example.com", "b.a.example.com", "any"],
  ["*.example.com !*.a.example.com", "b.a.example.com", "-"],
  ["*.example.com !*.a.example.com", "example.com", "any"],
  ["!a.example.com *.example.com a.example.com", "a.example.com", "-"],
  ["a.example.com !*.example.com", "a.example.com", "-"],
  ["a.example.com !*.com", "a.example.com", "-"],
  ["*.example.com !a*.example.com", "ab.example.com", "-"],
  ["*.example.com !a*.example.com", "b.example.com", "any"],
  ["a.example.com !a.example.com:443", "a.example.com", "1-442 444-65535 any/other"],
  ["a.example.com !a.example.com/tcp", "a.example.com", "any/udp any/other"],
  ["a.example.com/tcp !a.example.com/tcp", "a.example.com", "-"],
  ["a.example.com:443 !a.example.com:443/udp", "a.example.com", "443/tcp"],
  ["a.example.com:443 !a.example.com:80", "a.example.com", "443"],
  ["a.example.com:1-9 !a.example.com:3 !a.example.com:5-6", "a.example.com", "1-2 4 7-9"],
  ["a.example.com:443 !*.example.com:1-65535", "a.example.com", "-"],
  ["!a.example.com", "a.example.com", "-"],
  ["a.example.com:50-53 !a.example.com:50-52", "a.example.com", "-"],
  ["a.example.com:50-53 !a.example.com:51", "a.example.com", "50 52-53"],
  ["@npm !registry.npmjs.org", "registry.npmjs.org", "-"],
  ["registry.npmjs.org !@npm", "registry.npmjs.org", "1-442/tcp 444-65535/tcp any/udp any/other"],
  ["*.debian.org !@debian:80", "deb.debian.org", "1-79/tcp 81-65535/tcp any/udp any/other"],
];

describe("decideName", () => {
  for (const [label, name, services] of names) {
    it(`${JSON.stringify(label)} says ${services} of ${JSON.stringify(name)}`, () =>
      assert.equal(decided(policyOf("web", label), name), services));
  }

  it("takes lists together, and `!` in one from what another grants", () => {
    const policy = policyOf("web", "*.example.com:443", "!a.example.com b.example.org");
    assert.equal(decided(policy, "a.example.com"), "-");
    assert.equal(decided(policy, "c.example.com"), "443");
    assert.equal(decided(policy, "b.example.org"), "any");
  });

  it("is exact when an entry names the very name", () => {
    const policy = policyOf("web", "*.example.com a.example.com b*.example.com");
    const exact = (name: string): boolean => {
      const decision = decideName(policy, name, 0);
      return decision.allowed && decision.exact;
    };
    assert.deepEqual(
      ["a", "b", "c"].map((label) => exact(`${label}.example.com`)),
      [true, false, false],
    );
  });

  it("names the entries that decide, and the network that denies", () => {
    const policy = policyOf("web", "*.example.com !a.example.com");
    const denied = decideName(policy, "a.example.com", 0);
    assert.ok(!denied.allowed);
    assert.equal(denied.network, "web");
    assert.deepEqual(
      denied.by.map(({ entry }) => renderEntry(entry)),
      ["!a.example.com"],
    );
    const allowed = decideName(policy, "b.example.com", 0);
    assert.deepEqual(
      allowed.by.map(({ entry }) => renderEntry(entry)),
      ["*.example.com"],
    );
    assert.deepEqual(decideName(policy, "example.org", 0), { allowed: false, network: "web", by: [] });
  });

  it("knows the names above allowed ones", () => {
    const policy = policyOf(
      "web",
      "api.sub.example.com build-*.ci.example.org *.example.net !x.y.example.edu",
    );
    const above = (name: string): boolean => isAboveAllowed(policy, name, 0);
    for (const name of ["sub.example.com", "example.com", "com", "ci.example.org", "example.org", "net"])
      assert.equal(above(name), true, name);
    for (const name of ["api.sub.example.com", "b.example.com", "x.ci.example.org", "y.example.edu", "edu"])
      assert.equal(above(name), false, name);
    const ended = { network: "web", lists: [compileList(listOf("a.b.example.com", 1000))] };
    assert.deepEqual(
      [isAboveAllowed(ended, "b.example.com", 999), isAboveAllowed(ended, "b.example.com", 1000)],
      [true, false],
    );
  });

  it("ends when the last of what allows it ends", () => {
    const end = (now: number, ...lists: readonly [string, number | undefined][]): unknown => {
      const compiled = lists.map(([text, endsAtMs]) => compileList(listOf(text, endsAtMs)));
      const decision = decideName({ network: "web", lists: compiled }, "a.example.com", now);
      return decision.allowed ? decision.endsAtMs : "denied";
    };
    assert.equal(end(0, ["a.example.com", 1000]), 1000);
    assert.equal(end(999, ["a.example.com", 1000]), 1000);
    assert.equal(end(1000, ["a.example.com", 1000]), "denied");
    assert.equal(end(0, ["a.example.com", 1000], ["*.example.com", 3000], ["b.example.com", 5000]), 3000);
    assert.equal(end(0, ["a.example.com", 1000], ["*.example.com", undefined]), undefined);
    assert.equal(end(0, ["a.example.com", undefined], ["!*.example.com", 1000]), "denied");
    assert.equal(end(1000, ["a.example.com", undefined], ["!*.example.com", 1000]), undefined);
  });
});

const packets: readonly [label: string, address: string, packet: string, names: string, verdict: string][] = [
  ["203.0.113.0/24:443/tcp", "203.0.113.9", "tcp 443", "", "203.0.113.0/24:443/tcp"],
  ["203.0.113.0/24:443/tcp", "203.0.113.9", "udp 443", "", "-"],
  ["203.0.113.0/24:443/tcp", "203.0.113.9", "tcp 444", "", "-"],
  ["203.0.113.0/24:443/tcp", "203.0.114.9", "tcp 443", "", "-"],
  ["203.0.113.0/24:443", "203.0.113.9", "icmp", "", "-"],
  ["203.0.113.7", "203.0.113.7", "icmp", "", "203.0.113.7/32"],
  ["203.0.113.7", "203.0.113.8", "tcp 443", "", "-"],
  ["203.0.113.7/tcp", "203.0.113.7", "icmp", "", "-"],
  ["2001:db8::/32", "2001:db8::1", "tcp 443", "", "2001:db8::/32"],
  ["::/0", "203.0.113.7", "tcp 443", "", "-"],
  ["0.0.0.0/0", "2001:db8::1", "tcp 443", "", "-"],
  ["0.0.0.0/0:1-99 203.0.113.7:443", "203.0.113.7", "tcp 443", "", "203.0.113.7/32:443"],
  ["203.0.113.0/24 !203.0.113.7", "203.0.113.7", "tcp 443", "", "- !203.0.113.7/32"],
  ["203.0.113.7 !203.0.113.0/24", "203.0.113.7", "tcp 443", "", "- !203.0.113.0/24"],
  ["203.0.113.0/24 !203.0.113.7:443", "203.0.113.7", "tcp 444", "", "203.0.113.0/24"],
  ["203.0.113.0/24 !203.0.113.7:443", "203.0.113.7", "icmp", "", "203.0.113.0/24"],
  ["203.0.113.0/24 !203.0.113.7/udp", "203.0.113.7", "udp 1", "", "- !203.0.113.7/32/udp"],
  ["host:22", "203.0.113.7", "tcp 22", "", "-"],

  ["a.example.com", "203.0.113.7", "tcp 443", "a.example.com", "a.example.com by a.example.com"],
  ["a.example.com", "203.0.113.7", "icmp", "a.example.com", "a.example.com by a.example.com"],
  ["a.example.com", "203.0.113.7", "tcp 443", "", "-"],
  ["a.example.com", "203.0.113.7", "tcp 443", "b.example.com", "- by b.example.com"],
  [
    "a.example.com",
    "203.0.113.7",
    "tcp 443",
    "b.example.com a.example.com",
    "a.example.com by a.example.com",
  ],
  ["a.example.com:443", "203.0.113.7", "tcp 80", "a.example.com", "- by a.example.com"],
  ["a.example.com:443", "203.0.113.7", "udp 443", "a.example.com", "a.example.com:443 by a.example.com"],
  ["a.example.com:443", "203.0.113.7", "icmp", "a.example.com", "- by a.example.com"],
  [
    "a.example.com:1 b.example.com:2",
    "203.0.113.7",
    "tcp 2",
    "a.example.com b.example.com",
    "b.example.com:2 by b.example.com",
  ],
  ["*.example.com !a.example.com:443", "203.0.113.7", "tcp 443", "a.example.com", "- by a.example.com"],
  [
    "*.example.com !a.example.com:443",
    "203.0.113.7",
    "icmp",
    "a.example.com",
    "*.example.com by a.example.com",
  ],
  [
    "*.example.com !a.example.com",
    "203.0.113.7",
    "tcp 443",
    "a.example.com",
    "- !a.example.com by a.example.com",
  ],
  ["*.example.com !203.0.113.0/24", "203.0.113.7", "tcp 443", "a.example.com", "- !203.0.113.0/24"],
  [
    "*.example.com !203.0.113.0/24:80",
    "203.0.113.7",
    "tcp 443",
    "a.example.com",
    "*.example.com by a.example.com",
  ],
  ["203.0.113.7 !a.example.com", "203.0.113.7", "tcp 443", "a.example.com", "203.0.113.7/32"],

  // NAT64, 6to4, and both ends of Teredo lead to the IPv4 address inside.
  ["::/0 !203.0.113.7", "64:ff9b::203.0.113.7", "tcp 443", "", "- !203.0.113.7/32"],
  ["::/0 !203.0.113.0/24:443", "2002:cb00:7107::1", "tcp 443", "", "- !203.0.113.0/24:443"],
  ["::/0 !203.0.113.0/24:443", "2002:cb00:7107::1", "tcp 80", "", "::/0"],
  ["::/0 !203.0.113.7", "2001:0:cb00:7107::1", "udp 443", "", "- !203.0.113.7/32"],
  ["::/0 !203.0.113.7", "2001::34ff:8ef8", "udp 443", "", "- !203.0.113.7/32"],
  ["::/0 !203.0.113.7", "2001:db8:cb00:7107::1", "udp 443", "", "::/0"],
  ["203.0.113.7", "64:ff9b::203.0.113.7", "tcp 443", "", "-"],
  ["a.example.com !203.0.113.7", "64:ff9b::203.0.113.7", "tcp 443", "a.example.com", "- !203.0.113.7/32"],
  [
    "a.example.com !203.0.113.7",
    "64:ff9b::203.0.113.8",
    "tcp 443",
    "a.example.com",
    "a.example.com by a.example.com",
  ],
];

const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1 };

describe("decidePacket", () => {
  for (const [label, address, packet, known, expected] of packets) {
    it(`${JSON.stringify(label)}: ${packet} to ${address}, looked up as ${JSON.stringify(known)}`, () => {
      const [protocol = "", port] = packet.split(" ");
      const target = {
        destination: addressOf(address),
        ipProtocol: protocols[protocol] ?? assert.fail(),
        port: port === undefined ? undefined : Number(port),
      };
      const { allowed, by, name } = decidePacket(
        policyOf("web", label),
        target,
        known.split(" ").filter((text) => text !== ""),
        0,
      );
      const words = [...(allowed ? [] : ["-"]), ...(by === undefined ? [] : [renderEntry(by.entry)])];
      assert.equal([...words, ...(name === undefined ? [] : ["by", name])].join(" "), expected);
    });
  }

  it("takes ended lists for none", () => {
    const policy: Policy = {
      network: "web",
      lists: [compileList(listOf("203.0.113.7", 1000)), compileList(listOf("!203.0.113.8", 1000))],
    };
    const target = { destination: addressOf("203.0.113.7"), ipProtocol: 6, port: 443 };
    assert.ok(decidePacket(policy, target, [], 999).allowed);
    assert.ok(!decidePacket(policy, target, [], 1000).allowed);
  });
});

describe("port 53", () => {
  const cases: readonly [label: string, packet: string, names: string, allowed: boolean][] = [
    ["203.0.113.9:53/udp", "udp 53", "", true],
    ["203.0.113.9:53/udp", "tcp 53", "", false],
    ["203.0.113.9", "udp 53", "", false],
    ["203.0.113.9", "udp 54", "", true],
    ["203.0.113.9:50-60", "udp 53", "", false],
    ["203.0.113.0/24:53", "udp 53", "", false],
    ["203.0.113.9:53 !203.0.113.9:53/tcp", "tcp 53", "", false],
    ["a.example.com:53", "tcp 53", "a.example.com", true],
    ["a.example.com", "tcp 53", "a.example.com", false],
    ["a.example.com:53 a.example.com:54 !a.example.com:25", "udp 53", "a.example.com", true],
    ["a.example.com !a.example.com:25", "udp 53", "a.example.com", false],
    // What a `!` leaves names no server.
    ["a.example.com:50-53 !a.example.com:50-52", "udp 53", "a.example.com", false],
    ["a.example.com !a.example.com:1-52 !a.example.com:54-65535", "tcp 53", "a.example.com", false],
    ["a.example.com:50-53 !203.0.113.9:50-52", "udp 53", "a.example.com", false],
    ["a.example.com:53 a.example.com:50-54 !a.example.com:54", "udp 53", "a.example.com", true],
    ["203.0.113.9:50-53 !203.0.113.9:50-52", "udp 53", "", false],
    ["203.0.113.9:53 203.0.113.9:50-54 !203.0.113.9:54", "udp 53", "", true],
    // Another protocol's port of this number is nobody's to lead anywhere.
    ["203.0.113.9", "sctp 53", "", true],
  ];
  for (const [label, packet, names, allowed] of cases) {
    it(`${label} ${allowed ? "opens" : "does not open"} ${packet}`, () => {
      const [protocol = "", port] = packet.split(" ");
      const ipProtocol = { tcp: 6, udp: 17, sctp: 132 }[protocol] ?? assert.fail();
      const target = { destination: addressOf("203.0.113.9"), ipProtocol, port: Number(port) };
      const led = names === "" ? [] : [names];
      assert.equal(decidePacket(policyOf("web", label), target, led, 0).allowed, allowed);
    });
  }
});

describe("termsAt", () => {
  const services: readonly [label: string, address: string, left: string][] = [
    ["a.example.com:443 !203.0.113.7", "203.0.113.7", ""],
    ["a.example.com:443 !203.0.113.7", "203.0.113.8", "443"],
    ["a.example.com:443 !203.0.113.0/24:443/tcp", "203.0.113.7", "443/udp"],
    ["a.example.com:443 !2001:db8::/32", "2001:db8::1", ""],
    ["a.example.com:443 203.0.113.7", "203.0.113.7", "443"],
    ["a.example.com:443 !203.0.113.7:443/tcp", "64:ff9b::203.0.113.7", "443/udp"],
    ["a.example.com:443 !203.0.113.7", "2002:cb00:7107::1", ""],
    ["a.example.com@64:ff9b::/96 !203.0.113.7:1-442", "64:ff9b::203.0.113.7", "443-65535 any/other"],
    // What is inside opens as far as both say.
    ["a.example.com", "10.1.2.3", ""],
    ["a.example.com 10.0.0.0/8:443/tcp", "10.1.2.3", "443/tcp"],
    ["a.example.com:443 10.0.0.0/8", "10.1.2.3", "443"],
    ["a.example.com:443 10.0.0.0/8:80", "10.1.2.3", ""],
    ["a.example.com 10.0.0.0/8:443/tcp !10.1.2.3", "10.1.2.3", ""],
    // Port 53 where either names it alone.
    ["a.example.com:50-53 10.0.0.0/8:53-60", "10.1.2.3", ""],
    ["a.example.com:53 10.0.0.0/8", "10.1.2.3", "53"],
    ["a.example.com 10.0.0.0/8:53", "10.1.2.3", "53"],
    // A name that may lead into a range, and nowhere else.
    ["a.example.com@10.0.0.0/8:5432/tcp", "10.1.2.3", "5432/tcp"],
    ["a.example.com@10.0.0.0/8:5432/tcp", "11.1.2.3", ""],
    ["a.example.com@10.0.0.0/8:5432/tcp", "192.168.0.1", ""],
    ["a.example.com@10.0.0.0/8:5432/tcp a.example.com:443", "11.1.2.3", "443"],
    ["a.example.com@10.0.0.0/8:5432/tcp a.example.com:443", "10.1.2.3", "5432/tcp"],
    ["a.example.com@203.0.113.0/24", "203.0.113.7", "any"],
    ["a.example.com@203.0.113.0/24", "198.51.100.7", ""],
    ["*.example.com@[fd00::/8]:443", "fd00::5", "443"],
    ["*.example.com@fd00::/8 !a.example.com:443/tcp", "fd00::5", "1-442/tcp 444-65535/tcp any/udp any/other"],
    ["a.example.com@10.0.0.0/8 !10.1.0.0/16", "10.1.2.3", ""],
    ["b.example.com@10.0.0.0/8", "10.1.2.3", ""],
  ];
  for (const [label, address, left] of services) {
    it(`${label} leaves ${left || "nothing"} of a.example.com at ${address}`, () => {
      const policy = policyOf("web", label);
      const found = servicesAt(policy, decideName(policy, "a.example.com", 0), addressOf(address));
      assert.equal(found.map(renderService).join(" "), left);
    });
  }

  it("a range opens nothing to other names, nor without a name", () => {
    const policy = policyOf("web", "a.example.com@10.0.0.0/8:5432/tcp b.example.com");
    const to = { destination: addressOf("10.1.2.3"), ipProtocol: 6, port: 5432 };
    assert.deepEqual(
      [[], ["b.example.com"], ["a.example.com"]].map((led) => decidePacket(policy, to, led, 0).allowed),
      [false, false, true],
    );
    assert.ok(!decidePacket(policy, { ...to, port: 22 }, ["a.example.com"], 0).allowed);
  });

  it("what both must say ends with the first of them", () => {
    const lists = [compileList(listOf("a.example.com", 3000)), compileList(listOf("10.0.0.0/8", 1000))];
    const policy = { network: "web", lists };
    const decision = decideName(policy, "a.example.com", 0);
    assert.ok(decision.allowed);
    const at = { address: addressOf("10.1.2.3"), inside: true };
    assert.deepEqual(
      termsAt(policy, decision.terms, at, 0).map(({ endsAtMs }) => endsAtMs),
      [1000],
    );
  });
});

describe("mayLeadToHost", () => {
  const cases: readonly [label: string, may: boolean][] = [
    ["a.example.com", false],
    ["a.example.com host:443/tcp", true],
    ["a.example.com:443 host:443/tcp", true],
    ["a.example.com:80 host:443/tcp", false],
    ["a.example.com host:443/tcp !host:443/tcp", false],
  ];
  for (const [label, may] of cases) {
    it(`${label} ${may ? "may" : "may not"}`, () => {
      const policy = policyOf("web", label);
      const decision = decideName(policy, "a.example.com", 0);
      assert.equal(decision.allowed && mayLeadToHost(policy, decision.terms, 0), may);
    });
  }
});
