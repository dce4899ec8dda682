// The way of packets where ranges of networks overlap: the narrowest range says whose an address is, and what is open.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import { noEntry } from "../../../../src/core/path/policy.ts";
import type { Surroundings } from "../../../../src/core/path/surroundings.ts";
import { walk } from "../../../../src/core/path/walk.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const hostMember = (prefix: string, port: number, exception?: true) => ({
  ...{ prefix: parsePrefix(prefix) ?? assert.fail(prefix), service: { protocol: 6, port }, comment: "" },
  ...(exception === undefined ? {} : { exception }),
});
const host = "203.0.113.1" as IpAddress;

const surroundings: Surroundings = {
  networks: [
    bridgeNetwork("wide", "198.18.0.0/16"),
    bridgeNetwork("narrow", "198.18.5.0/24"),
    bridgeNetwork("open", "198.19.2.0/24"),
    bridgeNetwork("huge", "198.16.0.0/12"),
  ],
  guarded: new Map(["wide", "narrow"].map((id) => [id, { audit: false, reject: false }])),
  containers: [
    runningContainer("near", "wide", "198.18.5.4"),
    runningContainer("far", "narrow", "198.18.5.3"),
    {
      ...runningContainer("both", "wide", "198.18.5.5"),
      endpoints: ["wide 198.18.5.5", "open 198.19.2.5"].flatMap((place) => {
        const [network = "", address = ""] = place.split(" ");
        return runningContainer("both", network, address).endpoints;
      }),
    },
    runningContainer("away", "huge", "198.18.5.6"),
  ],
  ...{ quarantine: new Set(), hostAddresses: [host], bridgesFiltered: true },
  hostEntries: [
    hostMember("198.18.5.2/32", 3),
    hostMember("198.18.5.2/32", 4, true),
    ...[2, 3].map((port) => hostMember("198.18.5.0/24", port, true)),
    hostMember("198.18.5.0/24", 4),
    ...[1, 2, 3].map((port) => hostMember("198.18.0.0/16", port)),
  ],
};

const cases: readonly [what: string, from: string, to: string, port: number | undefined, expected: string][] =
  [
    ["a port that the wider range opens", "wide 198.18.1.2", host, 2, "passes host-entry"],
    ["one that the narrower does not", "narrow 198.18.5.3", host, 2, "dropped host"],
    ["one that a container's own list opens again", "narrow 198.18.5.2", host, 3, "passes host-entry"],
    ["one that a container's own list takes away", "narrow 198.18.5.2", host, 4, "dropped host"],
    ["all that are open", "narrow 198.18.5.2", host, undefined, "passes host-entry 1/tcp 3/tcp"],
    [
      "all that are open from the narrower",
      "narrow 198.18.5.3",
      host,
      undefined,
      "passes host-entry 1/tcp 4/tcp",
    ],
    [
      "an address of the narrower range on the wider network",
      "wide 198.18.5.4",
      host,
      1,
      "dropped foreign-source",
    ],
    ["the same of one that is guarded by its address", "wide 198.18.5.5", host, 1, "passes host-entry"],
    [
      "a neighbour, though its address is in the narrower range",
      "wide 198.18.1.2",
      "198.18.5.4",
      80,
      "passes neighbour",
    ],
    ["not one that is on the narrower network", "wide 198.18.1.2", "198.18.5.3", 80, "no-route no-neighbour"],
    [
      "from an open network, what the narrowest lets in",
      "open 198.19.2.2",
      "198.18.5.3",
      80,
      "dropped unpublished",
    ],
    [
      "from the open one around, what stays there",
      "huge 198.17.0.2",
      "198.18.5.6",
      80,
      "not-ours open-network",
    ],
  ];
for (const [what, from, destination, port, expected] of cases)
  it(what, () => {
    const [name = "", source = ""] = from.split(" ");
    const {
      verdict,
      step,
      ports = [],
    } = walk(
      surroundings,
      {
        ...{ homes: [name], quarantined: false },
        standing: surroundings.guarded.has(name) ? "guarded" : "open",
      },
      { ipProtocol: 6, port },
      {
        destination: destination as IpAddress,
        way: { kind: "bridge", source: source as IpAddress, bridge: `br-${name}` },
        ...{ ownsSource: true, policy: noEntry },
      },
    );
    assert.equal([verdict, step, ...ports].join(" "), expected);
  });
