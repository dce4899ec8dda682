// Which picture is posted, and whose readings go out.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Posting } from "../../../../src/control/enforcement/posting.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import type { Topology } from "../../../../src/core/model/topology.ts";
import type { DataPlaneLink } from "../../../../src/planes/link.ts";

const classified = (...ids: readonly string[]): Classification =>
  ({
    guarded: ids.map((id) => ({ id })),
    enslaved: new Set(),
    containers: { services: [] },
  }) as unknown as Classification;
const topologyOf = (): Topology => ({ networks: [], containers: [] });
const readings = { listedAtMs: 1, readAtMs: new Map() };

let quarantine: Set<string>;
let takes: () => Promise<void>;
let told: number;
let posting: Posting;

beforeEach(() => {
  quarantine = new Set();
  takes = async () => undefined;
  told = 0;
  const plane: Partial<DataPlaneLink> = {
    post: () => takes(),
    tellReadings: () => {
      told += 1;
    },
  };
  posting = new Posting({ dataPlane: () => plane as DataPlaneLink, quarantine, takenWithinMs: 20 });
});

describe("a picture", () => {
  it("is posted once, and again when anything that decides is other", async () => {
    const first = topologyOf();
    assert.equal(await posting.post(first, classified("n1")), true);
    assert.equal(await posting.post(first, classified("n1")), false);
    assert.equal(await posting.post(first, classified("n1", "n2")), true);
    quarantine.add("web");
    assert.equal(await posting.post(first, classified("n1", "n2")), true);
    assert.equal(await posting.post(topologyOf(), classified("n1", "n2")), true);
    const enslaved = new Set(["br-app"]);
    assert.equal(await posting.post(first, { ...classified("n1", "n2"), enslaved }), true);
    posting.forget();
    assert.equal(posting.isPosted(first), false);
  });

  it("that was forgotten while it was posted is posted once more", async () => {
    const first = topologyOf();
    takes = async () => posting.forget();
    assert.equal(await posting.post(first, classified()), true);
    takes = async () => undefined;
    assert.equal(await posting.post(first, classified()), true);
  });

  it("that is refused, or not taken in time, is posted again", async () => {
    const first = topologyOf();
    takes = () => Promise.reject(new Error("no"));
    await assert.rejects(posting.post(first, classified()), /no/);
    takes = () => new Promise(() => undefined);
    await assert.rejects(posting.post(first, classified()), { code: "NOT_ENFORCED" });
    takes = async () => undefined;
    assert.equal(await posting.post(first, classified()), true);
  });

  it("has its readings told once it is in use", async () => {
    const [first, second] = [topologyOf(), topologyOf()];
    posting.tellReadings(first, readings);
    await posting.post(first, classified());
    posting.tellReadings(first, readings);
    posting.tellReadings(second, readings);
    assert.equal(told, 1);
  });

  it("is posted to nobody while there is no data plane", async () => {
    const none = new Posting({ dataPlane: () => undefined, quarantine });
    assert.equal(await none.post(topologyOf(), classified()), false);
  });
});
