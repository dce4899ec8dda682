import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { GuardedNetwork, ServicePolicy } from "../../../src/core/model/guarded-network.ts";
import type { Picture } from "../../../src/core/model/picture.ts";
import type { EntryList } from "../../../src/core/policy/entry-list.ts";
import { createPoster, createReadingsPoster, createReceiver } from "../../../src/planes/picture.ts";
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

/** What becomes of a picture on its way. */
type Fate = "adopted" | "refused" | "not sent" | "not answered";
const fates: readonly Fate[] = ["adopted", "refused", "not sent", "not answered"];

/** The ids of the lists that were sent with each picture. What is received is as it was posted. */
async function sent(
  ...posts: readonly (readonly [picture: Picture, fate: Fate])[]
): Promise<readonly (readonly number[])[]> {
  const ids: (readonly number[])[] = [];
  const receive = createReceiver();
  let next: readonly [Picture, Fate] | undefined;
  const post = createPoster(async (posted) => {
    ids.push(posted.lists.map(({ id }) => id));
    const [picture, fate] = next ?? assert.fail();
    if (fate === "not sent") throw new Error(fate);
    assert.deepEqual(receive(structuredClone(posted)), picture);
    if (fate === "refused") throw new Error(fate);
    if (fate === "not answered") await new Promise(() => undefined);
  });
  for (const each of posts) {
    next = each;
    const [picture, fate] = each;
    const posted = post(picture);
    if (fate === "adopted") await posted;
    else if (fate !== "not answered") await assert.rejects(posted, { message: fate });
  }
  return ids;
}

const adopted = (picture: Picture) => [picture, "adopted"] as const;

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
  for (const [name, pictures, ids] of cases)
    it(name, async () => assert.deepEqual(await sent(...pictures.map(adopted)), ids));

  for (const fate of ["refused", "not sent", "not answered"] as const)
    it(`all lists are sent again after a picture that was ${fate}`, async () => {
      const [first, second] = [pictureOf([[1], [2]], []), pictureOf([[2]], [[3]])];
      const ids = await sent(adopted(first), [second, fate], adopted(first), adopted(second));
      assert.deepEqual(ids, [[1, 2], [3], [1, 2], [3]]);
    });

  it("any pictures arrive as they were sent, whatever becomes of others", async () => {
    const ids = fc.array(fc.uniqueArray(fc.nat(8), { maxLength: 4 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(ids, ids, fc.constantFrom(...fates)), { maxLength: 8 }),
        async (posts) => {
          const found = await sent(
            ...posts.map(([networks, services, fate]) => [pictureOf(networks, services), fate] as const),
          );
          for (const list of found) assert.equal(new Set(list).size, list.length);
        },
      ),
    );
  });

  it("a list that was never sent is left out of no policy: it may take something away", () => {
    const receive = createReceiver();
    const { topology } = pictureOf([], []);
    const post = (listIds: readonly number[]) => ({
      topology,
      lists: [listOf(1)],
      guarded: [],
      services: [{ containerId: "c0", name: "c0", addresses: [], listIds }],
      quarantined: [],
    });
    receive(post([1]));
    assert.throws(() => receive(post([1, 2])), { code: "INTERNAL", message: /list 2/ });
    assert.deepEqual(receive({ ...post([1]), lists: [] }).services[0]?.lists, [listOf(1)]);
  });
});

describe("createReadingsPoster", () => {
  it("sends again what was not sent", () => {
    const found: unknown[] = [];
    let isOpen = false;
    const post = createReadingsPoster((readings) => {
      if (!isOpen) throw new Error("not sent");
      found.push(readings);
    });
    const readings = { listedAtMs: 1, readAtMs: new Map([["c0", 2]]) };
    assert.throws(() => post(readings), /not sent/);
    isOpen = true;
    post(readings);
    post(readings);
    assert.deepEqual(found, [
      { listedAtMs: 1, readAtMs: [["c0", 2]] },
      { listedAtMs: 1, readAtMs: [] },
    ]);
  });
});
