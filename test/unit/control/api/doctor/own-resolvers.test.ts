// Which resolvers are found in the files of containers, and whose these are.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  findOwnResolvers,
  type OwnResolverSources,
} from "../../../../../src/control/api/doctor/own-resolvers.ts";
import type { Container } from "../../../../../src/core/model/topology.ts";
import { newContainer, runningContainer } from "../../../../support/topologies.ts";

const web = runningContainer("web", "app", "198.19.1.2");
const side: Container = { ...newContainer("side", "app"), running: true, networkMode: "container:web" };
const free = runningContainer("free", "open", "198.19.2.2");
const asleep: Container = { ...web, id: "asleep", name: "asleep", running: false };

const sources: OwnResolverSources = {
  topology: { networks: [], containers: [web, side, free, asleep] },
  guarded: new Set(["app"]),
  resolvConf: () => "nameserver 127.0.0.11\n",
  explain: async () => ({ verdict: "captured", step: "lookup", because: "it is a lookup" }),
};

/** As `CONTAINER by HOLDER: SERVER`. */
async function found(files: Readonly<Record<string, string>>, more: Partial<OwnResolverSources> = {}) {
  const read: string[] = [];
  const { named, unread } = await findOwnResolvers({
    ...sources,
    resolvConf: ({ name }, holder) => {
      read.push(`${name} by ${holder.name}`);
      return files[name];
    },
    ...more,
  });
  const servers = named.map(
    ({ container, containerId, server }) => `${container} by ${containerId}: ${server}`,
  );
  return { read, servers, unread };
}

describe("resolvers that containers name by themselves", () => {
  it("are looked for in running containers of guarded networks, and in those that share such a network", async () => {
    const { read, servers } = await found({
      web: "nameserver 198.19.1.1\n",
      side: "nameserver 203.0.113.53\n",
    });
    assert.deepEqual(read, ["web by web", "side by web"]);
    assert.deepEqual(servers, ["web by web: 198.19.1.1", "side by web: 203.0.113.53"]);
  });

  const files: readonly [what: string, text: string, expected: string[]][] = [
    ["Docker's own is no other", "nameserver 127.0.0.11\noptions ndots:0\n", []],
    [
      "the first three",
      "nameserver 127.0.0.11\nnameserver 2001:db8::53\nnameserver 203.0.113.1\nnameserver 203.0.113.2\n",
      ["2001:db8::53", "203.0.113.1"],
    ],
    ["where none is named clients ask this host", "search example.org\n", ["127.0.0.1"]],
    ["what is no address is none", "nameserver resolver.example.org\n", []],
  ];
  for (const [what, web, expected] of files)
    it(what, async () => {
      const { servers } = await found({ web, side: "nameserver 127.0.0.11\n" });
      assert.deepEqual(
        servers,
        expected.map((server) => `web by web: ${server}`),
      );
    });

  it("are asked about by the model of the packet's way", async () => {
    const asked: string[] = [];
    await found(
      { web: "nameserver 198.19.1.1\nnameserver 2001:db8::53\n", side: "nameserver 127.0.0.11\n" },
      {
        explain: async ({ container, target }) => {
          asked.push(`${container} ${target}`);
          throw new Error("it has gone");
        },
      },
    );
    assert.deepEqual(asked, ["web 198.19.1.1:53/udp", "web [2001:db8::53]:53/udp"]);
  });

  it("are listed as unread where the file cannot be read", async () => {
    assert.deepEqual((await found({ web: "nameserver 127.0.0.11\n" })).unread, ["side"]);
  });
});
