import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import { insideOf, labelView } from "../../../../src/core/suggest/label-view.ts";
import type { SeenConnection, SeenLookup } from "../../../../src/core/suggest/observed.ts";
import { replay } from "../../../../src/core/suggest/replay.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

const asker = "198.19.1.2" as IpAddress;
const within = "10.20.0.5" as IpAddress;
const gateway = "198.19.1.1" as IpAddress;
const bridge = bridgeNetwork("home", "198.19.1.0/24");
const home = guardedNetwork(bridge);
const inside = insideOf({
  topology: { networks: [bridge], containers: [] },
  hostAddresses: [gateway],
  bridgesFiltered: true,
});
const container = { id: "c1", name: "web" };

const lookup = (domain: string, more: Partial<SeenLookup> = {}): SeenLookup => ({
  ...{ asker, container, domain, type: undefined, allowed: false, trouble: undefined, count: 1 },
  ...{ refused: [], mayExist: true, addresses: more.refused ?? [], ...more },
});
const connection = (to: string, port: number, ...names: readonly string[]): SeenConnection => ({
  ...{ asker, container, destination: parseAddress(to) ?? assert.fail(to), ipProtocol: 6, port, names },
  ...{ allowed: false, packets: 1 },
});
const seen = {
  lookups: [
    lookup("db.example.com", { refused: [within] }),
    lookup("a.example.com", { type: "TXT" }),
    lookup("app.example.com", { refused: [gateway] }),
  ],
  connections: [connection(within, 5432, "db.example.com"), connection(gateway, 443, "app.example.com")],
};

const cases: readonly [label: string, denied: readonly string[]][] = [
  [
    "*.example.com",
    [
      "a.example.com TXT: TXT is served for a name that is written out, or that dockerwall.types names",
      "app.example.com: the name leads to the host: write host:PORT/tcp beside it",
      "db.example.com: the name leads inside: write db.example.com@10.20.0.5, with the same ports",
      "10.20.0.5 tcp:5432 (db.example.com): the name leads inside: write db.example.com@10.20.0.5, with the same ports",
      "198.19.1.1 tcp:443 (app.example.com): the name leads to the host: write host:PORT/tcp beside it",
    ],
  ],
  ["*.example.com a.example.com 10.20.0.5 host:443/tcp", []],
  [
    "*.example.com a.example.com 10.20.0.5:80 host:80/tcp",
    // Inside, the name and the address must both allow the port.
    ["10.20.0.5 tcp:5432 (db.example.com): ", "198.19.1.1 tcp:443 (app.example.com): "],
  ],
  // As an answer is judged: what the name and the address allow must have something in common.
  [
    "*.example.com:5432 a.example.com 10.20.0.5:80 host:80/tcp",
    [
      "db.example.com: the name leads inside: write db.example.com@10.20.0.5, with the same ports",
      "app.example.com: the name leads to the host: write host:PORT/tcp beside it",
      "10.20.0.5 tcp:5432 (db.example.com): the name leads inside: write db.example.com@10.20.0.5, with the same ports",
      "198.19.1.1 tcp:443 (app.example.com): the name leads to the host: write host:PORT/tcp beside it",
    ],
  ],
  ["*.example.com a.example.com db.example.com@10.20.0.0/16:5432 host:443/tcp", []],
  [
    "*.example.com:443 a.example.com db.example.com@10.0.0.0/8:80 host:80/tcp",
    // Such a name leads to the host only where the host has one of its ports open.
    [
      "app.example.com: the name leads to the host: write host:PORT/tcp beside it",
      "10.20.0.5 tcp:5432 (db.example.com): ",
      "198.19.1.1 tcp:443 (app.example.com): the name leads to the host: write host:PORT/tcp beside it",
    ],
  ],
  [
    "10.20.0.0/16",
    [
      "db.example.com: ",
      "a.example.com TXT: ",
      "app.example.com: ",
      "198.19.1.1 tcp:443 (app.example.com): ",
    ],
  ],
];

for (const [label, denied] of cases)
  test(`replay of ${label}`, () => {
    const view = labelView(home, [listOf(label)], inside, 0);
    const views = { onNetwork: () => view, elsewhere: () => [] };
    const rows = replay(seen, { inside, nowMs: 0, tried: views, present: views, isGone: () => false });
    assert.deepEqual(
      rows
        .filter(({ after }) => !after)
        .map(({ what, why = "" }) => `${what}: ${why}`)
        .toSorted(),
      [...denied].toSorted(),
    );
  });

test("ports of the host are open for TCP and UDP, as in the kernel", () => {
  const view = labelView(home, [listOf("host:443 host:80/udp !host:445")], inside, 0);
  const opens = (ipProtocol: number, port: number): boolean =>
    view.allows({ ...connection(gateway, port), ipProtocol });
  assert.deepEqual([opens(6, 443), opens(17, 443), opens(132, 443)], [true, true, false]);
  assert.deepEqual([opens(17, 80), opens(6, 80), opens(6, 445)], [true, false, false]);
});
