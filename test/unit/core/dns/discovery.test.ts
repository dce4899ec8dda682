import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { createDiscovery } from "../../../../src/core/dns/discovery.ts";
import type { LocalAnswer } from "../../../../src/core/dns/resolve/request.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import { addressOfReverseName } from "../../../../src/core/dns/wire/reverse.ts";
import { addressBytes, familyOf, type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../../src/core/model/topology.ts";

/** The reverse name of an address (RFC 1035 3.5, RFC 3596 2.5). */
function reverseNameOf(text: string): string {
  const bytes = addressBytes(text as IpAddress).toReversed();
  if (familyOf(text as IpAddress) === 4) return `${bytes.join(".")}.in-addr.arpa`;
  const nibbles = [...bytes].flatMap((byte) => [byte & 15, byte >> 4]).map((nibble) => nibble.toString(16));
  return `${nibbles.join(".")}.ip6.arpa`;
}

const network = (id: string, name: string, subnets: readonly string[] = [], internal = false): Network => ({
  id,
  name,
  driver: "bridge",
  bridge: `br-${id}`,
  subnets: subnets.flatMap((text) => parsePrefix(text) ?? []),
  gateways: [],
  internal,
  labels: {},
});
const container = (
  id: string,
  name: string,
  endpoints: readonly (readonly [
    network: string,
    addresses: readonly string[],
    aliases?: readonly string[],
    links?: readonly string[],
  ])[],
  running = true,
): Container => ({
  id: id.padEnd(64, "0"),
  name,
  labels: {},
  running,
  networkMode: "front",
  sandbox: undefined,
  configured: [],
  hazards: [],
  endpoints: endpoints.map(([networkId, addresses, aliases, links = []]) => ({
    networkId,
    addresses: addresses as readonly IpAddress[],
    aliases: aliases ?? [],
    links: links.map((link) => ({ name: link.split(":")[0] ?? "", alias: link.split(":")[1] ?? "" })),
  })),
});

const topology: Topology = {
  networks: [
    network("f", "front"),
    network("b", "back.End"),
    network("o", "other"),
    network("i", "a-inner", [], true),
    network("s", "six", ["198.18.6.0/24", "2001:db8:6::/64"]),
  ],
  containers: [
    container("aa11", "proj-web-1", [
      ["f", ["198.18.0.2"], ["web", "proj-web-1"]],
      ["b", ["198.18.1.2"], ["web"]],
    ]),
    container("aa22", "proj-web-2", [["f", ["198.18.0.3"], ["web"]]]),
    container("bb11", "DB", [["b", ["198.18.1.3", "2001:db8::3"], ["db.internal", "Data"]]]),
    container("cc11", "gone", [["f", ["198.18.0.9"], ["web"]]], false),
    container("dd11", "elsewhere", [["o", ["198.18.2.2"]]]),
    container("ee11", "starting", [["f", []]]),
    container("ff11", "only6", [["f", ["2001:db8::6"]]]),
    container("a111", "linked", [
      ["f", ["198.18.0.50"], [], ["proj-web-2:web", "proj-web-1:Data.Base", "nobody:lost"]],
      ["b", ["198.18.1.50"]],
    ]),
    container("a222", "everywhere", [
      ["i", ["198.18.5.2"]],
      ["f", ["198.18.0.51"]],
      ["s", ["198.18.6.2", "2001:db8:6::2"]],
    ]),
    container("a333", "two", [
      ["f", ["198.18.0.52"]],
      ["s", ["2001:db8:6::3"]],
    ]),
  ],
};
const discovery = createDiscovery(topology);

function find(
  name: string,
  type: number,
  asker: { readonly networks: readonly string[]; readonly from?: string | undefined },
  random = () => 0.999,
): LocalAnswer | undefined {
  const qname = nameFromPlainText(name.toLowerCase()) ?? rootName;
  const addresses = asker.from === undefined ? [] : [asker.from as IpAddress];
  const question = { name: nameText(qname), qname, type };
  return discovery.find(question, { networkIds: asker.networks, addresses }, random);
}

const A = 1,
  AAAA = 28,
  MX = 15,
  PTR = 12;
const cases: readonly {
  readonly ask: string;
  readonly type?: number;
  readonly networks?: readonly string[];
  /** Address of the asker. */
  readonly from?: string;
  readonly found: readonly string[] | "no-data" | undefined;
}[] = [
  { ask: "proj-web-2", found: ["198.18.0.3"] },
  { ask: "PROJ-WEB-2", found: ["198.18.0.3"] },
  { ask: "proj-web-2.front", found: ["198.18.0.3"] },
  { ask: "proj-web-2.FRONT", found: ["198.18.0.3"] },
  { ask: "proj-web-2.other", found: undefined },
  // back.End comes before front.
  { ask: "web", found: ["198.18.1.2"] },
  { ask: "web", networks: ["f"], found: ["198.18.0.2", "198.18.0.3"] },
  { ask: "web.back.end", found: ["198.18.1.2"] },
  { ask: "aa1100000000", found: ["198.18.1.2"] },
  { ask: "aa1100000000.back.end", found: ["198.18.1.2"] },
  { ask: "aa11000000000", found: undefined },
  { ask: "db", found: ["198.18.1.3"] },
  { ask: "db", type: AAAA, found: ["2001:db8::3"] },
  { ask: "db", networks: ["f"], found: undefined },
  { ask: "db.internal", found: ["198.18.1.3"] },
  { ask: "db.internal.back.end", found: ["198.18.1.3"] },
  { ask: "data", found: ["198.18.1.3"] },
  { ask: "web", type: AAAA, found: "no-data" },
  { ask: "web", type: MX, found: "no-data" },
  { ask: "only6", found: "no-data" },
  { ask: "gone", found: undefined },
  { ask: "elsewhere", found: undefined },
  { ask: "elsewhere", networks: ["o"], found: ["198.18.2.2"] },
  { ask: "starting", found: undefined },
  { ask: "front", found: undefined },
  { ask: "example.org", found: undefined },
  { ask: "db", networks: ["unknown"], found: undefined },
  { ask: "2.0.18.198.in-addr.arpa", type: PTR, found: ["proj-web-1.front"] },
  { ask: "2.1.18.198.in-addr.arpa", type: PTR, found: ["proj-web-1.back.End"] },
  { ask: "2.2.18.198.in-addr.arpa", type: PTR, found: undefined },
  { ask: "9.0.18.198.in-addr.arpa", type: PTR, found: undefined },
  { ask: reverseNameOf("2001:db8::3"), type: PTR, found: ["DB.back.End"] },
  { ask: "2.0.18.198.in-addr.arpa", type: A, found: undefined },
  // A network with IPv6 comes first, one without a way out last.
  { ask: "everywhere", networks: ["i", "f", "s"], found: ["198.18.6.2"] },
  { ask: "everywhere", networks: ["i", "f"], found: ["198.18.0.51"] },
  { ask: "everywhere", networks: ["i"], found: ["198.18.5.2"] },
  { ask: "everywhere.a-inner", networks: ["f", "i"], found: ["198.18.5.2"] },
  // The first that has the family answers.
  { ask: "two", networks: ["f", "s"], found: ["198.18.0.52"] },
  { ask: "two", type: AAAA, networks: ["f", "s"], found: ["2001:db8:6::3"] },
  // Links are their owner's only, and win over names.
  { ask: "web", networks: ["f"], from: "198.18.0.50", found: ["198.18.0.3"] },
  { ask: "web.front", networks: ["f"], from: "198.18.0.50", found: ["198.18.0.3"] },
  { ask: "data.base", networks: ["f"], from: "198.18.0.50", found: ["198.18.0.2"] },
  { ask: "data.base", type: AAAA, networks: ["f"], from: "198.18.0.50", found: "no-data" },
  { ask: "data.base", networks: ["f"], from: "198.18.0.51", found: undefined },
  { ask: "lost", networks: ["f"], from: "198.18.0.50", found: undefined },
  // Whose address is known is on all networks of its container.
  { ask: "db", networks: ["f"], from: "198.18.0.50", found: ["198.18.1.3"] },
];

for (const { ask, type, networks, from, found } of cases) {
  test(`Docker's names: ${ask} type ${type ?? A} on ${networks?.join() ?? "both"}${from === undefined ? "" : ` from ${from}`}`, () => {
    const answer = find(ask, type ?? A, { networks: networks ?? ["f", "b"], from });
    const seen =
      answer === undefined
        ? undefined
        : answer.kind === "no-data"
          ? "no-data"
          : answer.kind === "addresses"
            ? answer.addresses
            : answer.targets;
    assert.deepEqual(seen, found);
  });
}

test("a label with a dot inside is no name on a network", () => {
  const wire = Buffer.from("\x09web.front\0", "latin1");
  const qname = { wire, key: wire.toString("latin1") };
  assert.equal(
    discovery.find(
      { name: nameText(qname), qname, type: A },
      { networkIds: ["f"], addresses: [] },
      Math.random,
    ),
    undefined,
  );
});

test("several addresses come in every order", () => {
  const orders = new Set(
    [0, 0.999].map((value) => JSON.stringify(find("web", A, { networks: ["f"] }, () => value))),
  );
  assert.equal(orders.size, 2);
});

test("reverse names", () => {
  for (const text of ["203.0.113.7", "2001:db8::1:2"])
    assert.equal(addressOfReverseName(reverseNameOf(text)), text);
  for (const name of [
    "1.2.3.in-addr.arpa",
    "256.0.0.1.in-addr.arpa",
    "01.0.0.1.in-addr.arpa",
    "x.1.2.3.4.in-addr.arpa",
    "1.2.3.4.in-addr.arpa.org",
    "ip6.arpa",
  ]) {
    assert.equal(addressOfReverseName(name), undefined, name);
  }
});

test("a container leads outside by any network that is not internal, guarded or not", () => {
  const topology: Topology = {
    networks: [network("i", "inner", [], true), network("j", "other", [], true), network("b", "back")],
    containers: [
      container("inside", "inside", [
        ["i", ["10.0.1.2"]],
        ["j", ["10.0.2.2"]],
      ]),
      container("both", "both", [
        ["i", ["10.0.1.3"]],
        ["b", ["10.0.3.3"]],
      ]),
    ],
  };
  const leads = (address: string, ...networkIds: readonly string[]): boolean | undefined =>
    createDiscovery(topology).leadsOutside({ networkIds, addresses: [address as IpAddress] });
  assert.equal(leads("10.0.1.2", "i"), false);
  assert.equal(leads("10.0.1.2", "i", "j"), false);
  assert.equal(leads("10.0.1.3", "i"), true);
  assert.equal(leads("10.0.1.9", "i"), undefined);
  assert.equal(leads("10.0.1.9", "i", "b"), true);
});

test("the asker's own preference among its gateways goes before names, and after a way out", () => {
  const preferring = (gatewayPriority: number, internal = false): LocalAnswer | undefined => {
    const topology: Topology = {
      networks: [network("b", "back"), network("f", "front", [], internal)],
      containers: [
        container("db", "db", [
          ["b", ["10.0.1.3"]],
          ["f", ["10.0.2.3"]],
        ]),
        {
          ...container("asker", "asker", []),
          endpoints: [
            { networkId: "b", addresses: ["10.0.1.2" as IpAddress], aliases: [], links: [] },
            { networkId: "f", addresses: ["10.0.2.2" as IpAddress], aliases: [], links: [], gatewayPriority },
          ],
        },
      ],
    };
    const qname = nameFromPlainText("db") ?? assert.fail();
    const asker = { networkIds: ["b", "f"], addresses: ["10.0.1.2" as IpAddress] };
    return createDiscovery(topology).find({ name: "db", qname, type: 1 }, asker, () => 0);
  };
  const found = (address: string): LocalAnswer => ({ kind: "addresses", addresses: [address as IpAddress] });
  assert.deepEqual(preferring(0), found("10.0.1.3"));
  assert.deepEqual(preferring(10), found("10.0.2.3"));
  assert.deepEqual(preferring(-1), found("10.0.1.3"));
  assert.deepEqual(preferring(10, true), found("10.0.1.3"));
});

describe("a name on a network without IPv6 before one with it", () => {
  const asked = (type: number, { gatewayPriority, internal = false }: PreferringFront): unknown => {
    const topology: Topology = {
      networks: [
        network("f", "front", ["10.0.2.0/24"]),
        network("s", "six", ["10.0.3.0/24", "2001:db8:3::/64"], internal),
      ],
      containers: [
        container("db", "db", [
          ["f", ["10.0.2.3"]],
          ["s", ["10.0.3.3", "2001:db8:3::3"]],
        ]),
        {
          ...container("asker", "asker", []),
          endpoints: [
            { networkId: "f", addresses: ["10.0.2.2" as IpAddress], aliases: [], links: [], gatewayPriority },
            {
              networkId: "s",
              addresses: ["10.0.3.2" as IpAddress, "2001:db8:3::2" as IpAddress],
              ...{ aliases: [], links: [], gatewayPriority: gatewayPriority && 0 },
            },
          ],
        },
      ],
    };
    const qname = nameFromPlainText("db") ?? assert.fail();
    const asker = { networkIds: ["f", "s"], addresses: ["10.0.2.2" as IpAddress] };
    return createDiscovery(topology).find({ name: "db", qname, type }, asker, () => 0);
  };
  const found = (address: string) => ({ kind: "addresses", addresses: [address] });

  it("is answered there alone by an engine that has priorities of gateways (28)", () => {
    assert.deepEqual(asked(1, { gatewayPriority: 10 }), found("10.0.2.3"));
    assert.deepEqual(asked(28, { gatewayPriority: 10 }), { kind: "no-data" });
    assert.deepEqual(asked(28, { gatewayPriority: 0, internal: true }), { kind: "no-data" });
    assert.deepEqual(asked(28, { gatewayPriority: 0 }), found("2001:db8:3::3"));
  });
  it("is looked for on the next one by an older engine", () => {
    const older = { gatewayPriority: undefined, internal: true };
    assert.deepEqual(asked(1, older), found("10.0.2.3"));
    assert.deepEqual(asked(28, older), found("2001:db8:3::3"));
  });
});

interface PreferringFront {
  readonly gatewayPriority: number | undefined;
  readonly internal?: boolean;
}
