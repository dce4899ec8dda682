// What the data plane asks of the control plane: a reading of the engine, of which it hears when the picture is in use.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createBoundary } from "../../../../src/control/daemon/boundary.ts";
import {
  createDataPlaneEvents,
  createDataPlanePlace,
  type DataPlaneListener,
} from "../../../../src/control/daemon/data-plane.ts";
import type { LookupEvent } from "../../../../src/core/journal/lookup-event.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { DataPlaneLink } from "../../../../src/planes/link.ts";

import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

function start(refresh: () => Promise<void>, refreshed: DataPlaneLink["refreshed"]) {
  const happened: string[] = [];
  const dataPlane = createDataPlanePlace();
  const end = async (): Promise<void> => void happened.push("ended");
  const link = { refreshed, [Symbol.asyncDispose]: end } as Partial<DataPlaneLink> as DataPlaneLink;
  dataPlane.fill(link);
  const log = {
    info: assert.fail,
    warn: assert.fail,
    error: (_: string, { problem = "" } = {}) => happened.push(problem),
  };
  const reporter = {
    onProblem: (place: string, problem: string) => void happened.push(`${place}: ${problem}`),
    clearProblem: assert.fail,
  };
  const listener: Partial<Record<keyof DataPlaneListener, unknown>> = {
    log,
    boundary: createBoundary({ log, reporter, nowMs: () => 0 }),
    dataPlane,
    enforcement: {
      usePictureOfNow: async () => void happened.push("in use"),
      reconcile: async () => void happened.push("reconciled"),
    },
    inventory: {
      refresh: (suspects: readonly string[]) => {
        happened.push(`read ${suspects.join(" ")}`);
        return refresh();
      },
    },
    reporter,
  };
  return {
    happened,
    link,
    dataPlane,
    events: createDataPlaneEvents(listener as DataPlaneListener, assert.fail),
  };
}

describe("a reading that the data plane asks for", () => {
  it("is reported when the picture is in use", async () => {
    const { happened, events } = start(
      async () => undefined,
      (number, wasRead) => void happened.push(`told ${number} ${wasRead}`),
    );
    events.onRefresh(["web"], 7);
    await turn();
    assert.deepEqual(happened, ["read web", "in use", "told 7 true"]);
  });

  it("that fails is a problem of the engine's, and told of as what it is", async () => {
    const { happened, events } = start(
      () => Promise.reject(new Error("away")),
      (number, wasRead) => void happened.push(`told ${number} ${wasRead}`),
    );
    events.onRefresh(["web"], 8);
    await turn();
    assert.deepEqual(happened, ["read web", "engine: away", "in use", "told 8 false"]);
  });

  it("that cannot be told of ends nothing", async () => {
    const { happened, events } = start(
      async () => undefined,
      () => {
        throw new Error("no");
      },
    );
    events.onRefresh(["web"], 1);
    await turn();
    assert.deepEqual(happened, ["read web", "in use", "reading the engine anew: no"]);
  });

  it("is not reported when the data plane was taken out meanwhile", async () => {
    const reading = Promise.withResolvers<void>();
    const { happened, events, dataPlane, link } = start(() => reading.promise, assert.fail);
    events.onRefresh(["web"], 1);
    assert.equal(dataPlane.empty(), link);
    assert.equal(dataPlane.empty(), undefined);
    reading.resolve();
    await turn();
    assert.deepEqual(happened, ["read web", "in use"]);
    // The caller that took it out ends it.
    await dataPlane[Symbol.asyncDispose]();
    assert.deepEqual(happened, ["read web", "in use"]);
  });
});

test("the rules follow at once when addresses are in a further part of their set", () => {
  const { happened, events } = start(assert.fail, assert.fail);
  events.onSecondPart();
  assert.deepEqual(happened, ["reconciled"]);
});

test("a name that is denied has one line in the log, with the container's name", () => {
  const lines: unknown[] = [];
  const topology = {
    networks: [bridgeNetwork("app", "198.19.1.0/24")],
    containers: [runningContainer("web", "app", "198.19.1.2")],
  };
  const recorded: unknown[] = [];
  const listener: Partial<Record<keyof DataPlaneListener, unknown>> = {
    log: { info: (message: string, fields: unknown) => lines.push([message, fields]) },
    history: { record: (events: readonly unknown[]) => recorded.push(...events) },
    inventory: { current: () => topology },
    reporter: {},
  };
  const { onLookups } = createDataPlaneEvents(listener as DataPlaneListener, assert.fail);
  const asked = (asker: string, allowed = false): LookupEvent => ({
    networkId: "app",
    asker: asker as IpAddress,
    domain: "www.example.org",
    allowed,
    atMs: 0,
    granted: [],
  });
  onLookups([asked("198.19.1.2"), asked("198.19.1.2"), asked("198.19.1.3", true)]);
  onLookups([asked("198.19.1.2")]);
  assert.equal(recorded.length, 4);
  const line = { network: "app", container: "web", domain: "www.example.org" };
  assert.deepEqual(lines, [["name denied", line]]);
  topology.networks = topology.networks.map((each) => ({
    ...each,
    labels: { "dockerwall.mode": " audit " },
  }));
  onLookups([{ ...asked("198.19.1.2"), domain: "audited.example.org" }]);
  assert.deepEqual(lines.at(-1), ["name would be denied", { ...line, domain: "audited.example.org" }]);
});
