// Who is there, as far as sandboxes and packets tell.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AskerIndex } from "../../../../src/core/askers/index-of-askers.ts";
import { Knowledge } from "../../../../src/core/askers/knowledge.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createPresence } from "../../../../src/data/waiting/presence.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

const address = "198.18.0.2" as IpAddress;

describe("a sender of whom no sandbox is known", () => {
  const start = () => {
    const met: number[] = [];
    const time = { nowMs: 1, listedAtMs: 0 };
    const presence = createPresence(
      () => undefined,
      () => time.nowMs,
      () => void met.push(time.nowMs),
    );
    const network = bridgeNetwork("n", "198.18.0.0/24");
    const guarded = [guardedNetwork(network)];
    const picture = {
      topology: { networks: [network], containers: [] },
      guarded,
      services: [],
      quarantined: [],
    };
    const readings = () => ({ listedAtMs: time.listedAtMs, readAtMs: new Map() });
    const index = new AskerIndex(picture, undefined, new Knowledge(picture, readings, presence));
    const settled = (): boolean => {
      const standing = index.standingOfSource(address);
      return standing.kind === "guarded" && standing.settled && !standing.mayLose;
    };
    return { time, presence, settled, met };
  };

  it("is known to be nobody with a label by a list that began after it was met, and is met anew in time", () => {
    const { time, settled, met } = start();
    assert.equal(settled(), false);
    time.nowMs = 20;
    assert.equal(settled(), false);
    time.listedAtMs = 10;
    assert.equal(settled(), true);
    time.nowMs = 11_000;
    assert.equal(settled(), false);
    time.listedAtMs = 11_001;
    assert.equal(settled(), true);
    assert.deepEqual(met, [1, 11_000]);
  });

  it("is remembered among so many only", () => {
    const { time, presence } = start();
    const first = presence.metAtMs(address);
    for (let i = 0; i < 5_000; i++) presence.metAtMs(`198.19.${i >> 8}.${i & 255}` as IpAddress);
    time.nowMs = 2;
    assert.notEqual(presence.metAtMs(address), first);
  });
});
