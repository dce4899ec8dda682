import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { GuardedNetwork, ServicePolicy } from "../../../src/core/model/guarded-network.ts";
import type { Picture } from "../../../src/core/model/picture.ts";
import type { EntryList } from "../../../src/core/policy/entry-list.ts";
import { createPoster, createReceiver } from "../../../src/planes/picture.ts";
import { entriesOf } from "../../support/policies.ts";
import { unlabelled } from "../../support/topologies.ts";

const entries = entriesOf("a.example.com");
const listOf = (id: number): EntryList => ({
  id,
  source: `list ${id}`,
  entries,
  digest: `${id}`,
  endsAtMs: undefined,
});

/** Networks and containers by the ids of their lists. */
function pictureOf(
  networks: readonly (readonly number[])[],
  services: readonly (readonly number[])[],
): Picture {
  const guarded = networks.map(
    (ids, index): GuardedNetwork => ({
      id: `n${index}`,
      name: `n${index}`,
      subnets: [],
      gateways: [],
      lists: ids.map(listOf),
      labels: { ...unlabelled, mode: index % 2 === 0 ? "audit" : "enforce" },
    }),
  );
  const own = services.map(
    (ids, index): ServicePolicy => ({
      containerId: `c${index}`,
      name: `c${index}`,
      addresses: [],
      lists: ids.map(listOf),
    }),
  );
  return { topology: { networks: [], containers: [] }, guarded, services: own, quarantined: ["q"] };
}

/** The ids of the lists that were sent with each picture. */
function sent(...pictures: readonly Picture[]): readonly (readonly number[])[] {
  const post = createPoster();
  const receive = createReceiver();
  return pictures.map((picture) => {
    const posted = post(picture);
    assert.deepEqual(receive(structuredClone(posted)), picture);
    return posted.lists.map(({ id }) => id);
  });
}

const cases: readonly [name: string, pictures: readonly Picture[], ids: readonly (readonly number[])[]][] = [
  ["nothing", [pictureOf([], [])], [[]]],
  ["a list is sent once, whatever has it", [pictureOf([[1], [1, 2]], [[2], [3, 1]])], [[1, 2, 3]]],
  ["and not again", [pictureOf([[1]], []), pictureOf([[1]], [[1]])], [[1], []]],
  ["only what is new is sent", [pictureOf([[1]], []), pictureOf([[1, 2]], [[3]])], [[1], [2, 3]]],
  [
    "what was gone in between is sent again",
    [pictureOf([[1]], []), pictureOf([[]], []), pictureOf([[1]], [])],
    [[1], [], [1]],
  ],
  [
    "a list may move from a network to a container",
    [pictureOf([[1]], [[]]), pictureOf([[]], [[1]])],
    [[1], []],
  ],
  [
    "order within a policy is kept",
    [pictureOf([[3, 1, 2]], []), pictureOf([[2, 3, 1]], [])],
    [[3, 1, 2], []],
  ],
];

describe("createPoster and createReceiver", () => {
  for (const [name, pictures, ids] of cases) it(name, () => assert.deepEqual(sent(...pictures), ids));
  it("any pictures arrive as they were sent", () => {
    const ids = fc.array(fc.uniqueArray(fc.nat(8), { maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(fc.tuple(ids, ids), { maxLength: 8 }), (pictures) => {
        const found = sent(...pictures.map(([networks, services]) => pictureOf(networks, services)));
        for (const list of found) assert.equal(new Set(list).size, list.length);
      }),
    );
  });
});
