// Whom quarantine cannot cut is refused; what it says is what the kernel holds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assertCutOff,
  assertLetBack,
  waysPastQuarantine,
  whyNotCut,
} from "../../../src/control/quarantine.ts";
import type { Cut } from "../../../src/core/cut.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import { renderQuarantined } from "../../../src/core/grants/comment.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { hostPrefix } from "../../../src/core/model/address.ts";
import type { Container, Hazard, Network, Topology } from "../../../src/core/model/topology.ts";
import { createFakeSets } from "../../support/fake-sets.ts";

const address = "198.19.1.2" as IpAddress;

function container(name: string, change: Partial<Container> = {}): Container {
  return {
    id: name.padEnd(64, "0"),
    name,
    labels: {},
    running: true,
    networkMode: "app",
    sandbox: undefined,
    endpoints: [],
    configured: [],
    hazards: [],
    ...change,
  };
}

function network(id: string, driver: string): Network {
  const bridge = driver === "bridge" ? `br-${id}` : undefined;
  return { id, name: id, driver, bridge, subnets: [], gateways: [], internal: false, labels: {} };
}

const on = (networkId: string): Partial<Container> => ({
  endpoints: [{ networkId, addresses: [address], aliases: [], links: [] }],
});
const web = container("web", on("app"));
const hosted = container("hosted", { networkMode: "host", hazards: ["host-network"] });
const shares = (name: string, other: Container): Container =>
  container(name, { networkMode: `container:${other.id}` });
const side = shares("side", web);

describe("a container that is to be cut off", () => {
  const cases: readonly [what: string, container: Container, expected: RegExp | undefined][] = [
    ["on a bridge network", web, undefined],
    ["that has stopped", container("web", { running: false }), undefined],
    ["without a network", container("none", { networkMode: "none" }), undefined],
    [
      "on another's network",
      side,
      /^container "side" uses the network of container "web" .*dockerwall quarantine web$/,
    ],
    ["on the network of one on another's network", shares("third", side), /container "web".*quarantine web$/],
    [
      "on the network of one that is gone",
      shares("orphan", container("gone")),
      /that is gone; .*docker stop orphan$/,
    ],
    ["on the host's network", hosted, /on the host's network and .*docker stop hosted$/],
    [
      "on the network of one on the host's",
      shares("guest", hosted),
      /^container "guest" is on the host's network/,
    ],
    [
      "on a macvlan network too",
      container("both", on("wire")),
      /network "wire" \(macvlan\), .*disconnect wire both/,
    ],
  ];
  for (const [what, one, expected] of cases) {
    it(what, () => {
      const topology: Topology = {
        networks: [network("app", "bridge"), network("wire", "macvlan")],
        containers: [web, hosted, side, one],
      };
      const reason = whyNotCut(one, topology);
      if (expected === undefined) assert.equal(reason, undefined);
      else assert.match(reason ?? "", expected);
    });
  }
});

describe("what a container has that quarantine does not hold", () => {
  const has = (name: string, ...hazards: readonly Hazard[]): Container =>
    container(name, { ...on("app"), hazards });
  const ways = (one: Container, ...others: readonly Container[]): readonly string[] =>
    waysPastQuarantine(one, { networks: [network("app", "bridge")], containers: [one, ...others] });

  for (const hazard of [
    "docker-socket",
    "privileged",
    "host-pid",
    "net-admin",
    "sys-admin",
    "kernel",
    "host-files",
    "host-devices",
  ] as const)
    it(`is ${hazard}`, () => {
      const [way, ...more] = ways(has("web", hazard));
      assert.match(way ?? "", /^container "web" (has|is|sees) .*even in quarantine; .*docker stop web$/);
      assert.deepEqual(more, []);
    });

  it("is named whatever the container's label accepts", () => {
    const accepts = { ...has("web", "net-admin"), labels: { "dockerwall.accept": "net-admin" } };
    assert.equal(ways(accepts).length, 1);
  });

  it("is not an engine's API over TCP, which is cut off with the rest", () => {
    assert.deepEqual(ways(has("web", "engine-api")), []);
  });

  it("may be had by a container that shares its network", () => {
    const rooted = { ...shares("side", web), hazards: ["net-admin"] as const };
    const [way, ...more] = ways(web, rooted, has("other", "privileged"));
    assert.match(way ?? "", /^container "side" has NET_ADMIN.*docker stop side$/);
    assert.deepEqual(more, []);
  });
});

describe("what is said of it", () => {
  const cases: readonly [
    what: string,
    held: boolean,
    rules: boolean,
    ports: Cut | undefined,
    RegExp | undefined,
    left?: RegExp,
  ][] = [
    ["everything holds", true, true, "whole", undefined],
    [
      "everything holds that can, without guarded ports",
      true,
      true,
      undefined,
      undefined,
      /^container "web" is cut off by its addresses alone, .*docker stop web$/,
    ],
    [
      "everything holds that can, where the kernel cuts one way",
      true,
      true,
      "sends-nothing",
      undefined,
      /^container "web" can send nothing, but frames .* still reach its interfaces, .*docker stop web$/,
    ],
    [
      "its address is not in the set",
      false,
      true,
      "whole",
      /NOT cut off: its address 198\.19\.1\.2 is not in the set/,
    ],
    ["the rules are gone", true, false, "whole", /NOT cut off: the rules are not as they should be/],
    ["its ports are open", true, true, "none", /NOT cut off: it is not cut off both at its ports and inside/],
    [
      "one of its ports is open",
      true,
      true,
      "partly",
      /NOT cut off: it is not cut off both at its ports and inside/,
    ],
  ];
  for (const [what, held, rules, ports, expected, left] of cases) {
    it(what, async () => {
      const sets = createFakeSets(() => 0);
      for (const spec of setSpecs()) sets.create(spec);
      if (held)
        sets.add("dockerwall-quarantine4", [
          { key: { kind: "net", prefix: hostPrefix(address) }, comment: renderQuarantined(web.id, web.name) },
        ]);
      const asserted = assertCutOff(web, {
        sets,
        rulesStand: () => Promise.resolve(rules),
        cutOf: async () => ports ?? "none",
        guardsPorts: ports !== undefined,
      });
      if (expected !== undefined) {
        await assert.rejects(asserted, { code: "NOT_ENFORCED", message: expected });
        return;
      }
      const [told = "", ...more] = await asserted;
      assert.match(told, left ?? /^$/);
      assert.deepEqual(more, []);
    });
  }
});

describe("what is said of one that was let back", () => {
  const stillHeld = /NOT released: the set still holds 198\.19\.1\.2;/;
  const cases: readonly [what: string, held: { by?: string } | undefined, ports: Cut, RegExp | undefined][] =
    [
      ["nothing holds it", undefined, "none", undefined],
      ["its address is in the set", { by: renderQuarantined(web.id, web.name) }, "none", stillHeld],
      ["its address is in the set for its sandbox", { by: "sandbox:s1" }, "none", stillHeld],
      ["its address is cut off because another set is full", {}, "none", undefined],
      ["its ports are cut", undefined, "whole", /NOT released: its ports are still cut;/],
      ["one of its ports is cut", undefined, "partly", /NOT released: its ports are still cut;/],
    ];
  for (const [what, held, ports, expected] of cases) {
    it(what, async () => {
      const sets = createFakeSets(() => 0);
      for (const spec of setSpecs()) sets.create(spec);
      const key = { kind: "net", prefix: hostPrefix(address) } as const;
      if (held !== undefined)
        sets.add("dockerwall-quarantine4", [held.by === undefined ? { key } : { key, comment: held.by }]);
      const asserted = assertLetBack(web, { sets, cutOf: async () => ports });
      if (expected === undefined) await asserted;
      else await assert.rejects(asserted, { code: "NOT_ENFORCED", message: expected });
    });
  }
});
