// Which packets the data plane is asked about for denied ones, and what is made of its answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readOpen } from "../../../../../src/control/api/stats/open-now.ts";
import type { DeniedRecord } from "../../../../../src/core/journal/denied-record.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import type { AskersPacket } from "../../../../../src/planes/request-table.ts";
import { runningContainer } from "../../../../support/topologies.ts";

const web = runningContainer("web", "home", "198.19.1.2");
const containers = [
  {
    ...web,
    endpoints: [web, runningContainer("web", "back", "198.19.3.2")].flatMap((each) => each.endpoints),
  },
];
const destination = "192.0.2.1" as IpAddress;

function recordOf(protocol: number, port: number, owner: DeniedRecord["owner"]): DeniedRecord {
  const asker = "198.19.1.2" as IpAddress;
  return { asker, destination, protocol, port, packets: 1, bytes: 40, lastSeenMs: 0, domains: [], owner };
}

const owner = { name: "web", containerId: "web", networkId: "home" };
const text = ({ asker, destination, ipProtocol, port }: AskersPacket): string =>
  `${asker} ${destination} ${ipProtocol} ${port}`;

test("each packet is asked about once, from every address of its container, and ICMP without a port", async () => {
  const asked: string[][] = [];
  const denied = [recordOf(6, 443, owner), recordOf(6, 443, undefined), recordOf(1, 2048, undefined)];
  const isOpen = await readOpen(denied, { networks: [], containers }, async (packets) => {
    asked.push(packets.map(text));
    return packets.map(({ asker }) => asker === "198.19.3.2");
  });
  assert.deepEqual(asked, [
    ["198.19.1.2 192.0.2.1 6 443", "198.19.3.2 192.0.2.1 6 443", "198.19.1.2 192.0.2.1 1 undefined"],
  ]);
  const from = (asker: string): boolean =>
    isOpen({ asker: asker as IpAddress, destination, ipProtocol: 6, port: 443 });
  assert.deepEqual([from("198.19.1.2"), from("198.19.3.2"), from("198.19.1.9")], [false, true, false]);
});

test("where nothing was denied, nothing is asked", async () => {
  await readOpen([], { networks: [], containers }, () => assert.fail("asked"));
});
