import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createMessageTaker } from "../../../../src/data/worker/messages.ts";
import type { PlaneParts } from "../../../../src/data/worker/parts.ts";
import { describeCut, usePicture } from "../../../../src/data/worker/picture-use.ts";
import type { FromDataPlane } from "../../../../src/planes/messages.ts";
import { runningContainer } from "../../../support/topologies.ts";

const address = (n: number): IpAddress => `198.19.1.${n}` as IpAddress;

test("flows that are cut are said to be whose they were", () => {
  const containers = [2, 3, 4, 5, 6, 7, 8].map((n) => runningContainer(`c${n}`, "n1", address(n)));
  const cut = (...last: readonly number[]): string =>
    describeCut(last.map(address), { networks: [], containers });
  assert.equal(cut(2, 3, 2), 'open flows that are no longer allowed were cut: 2 of "c2", 1 of "c3"');
  assert.equal(cut(99), "open flows that are no longer allowed were cut: 1 of 198.19.1.99");
  assert.match(cut(2, 3, 4, 5, 6, 7, 8), /, 1 of "c6" and 2 other containers$/);
});

const empty = { topology: { networks: [], containers: [] }, guarded: [], services: [], quarantined: [] };

for (const [what, isFlow, expected] of [
  [
    "flows that cannot be cut hold nothing else up, and are a problem of their own",
    true,
    [
      "sandboxes",
      "lookups",
      "problem: open flows that are no longer allowed were not cut, and are tried again with the next picture: refused",
      "answered",
    ],
  ],
  ["while rights cannot be taken, no sandbox is settled, and the picture is refused", false, ["refused"]],
] as const)
  test(what, () => {
    const order: string[] = [];
    const does = (what: string) => (): void => void order.push(what);
    const nothing = (): void => undefined;
    const refuses = (): never => {
      throw new Error("refused");
    };
    const parts = {
      view: { usePicture: nothing },
      pending: { forgetTold: nothing },
      ownership: { useEpoch: nothing },
      admission: {
        rejudge: (_: unknown, cut: (askers: ReadonlySet<IpAddress>) => void) =>
          isFlow ? cut(new Set([address(2)])) : refuses(),
      },
      cutFlows: refuses,
      sandboxLayer: { usePicture: does("sandboxes") },
      listeners: { follow: nothing },
      answerer: { useTopology: nothing, reconsider: does("lookups") },
      telling: {
        tell: (message: FromDataPlane) =>
          order.push(message.kind === "problem" ? `problem: ${message.problem}` : message.kind),
      },
    } as unknown as PlaneParts;
    createMessageTaker(parts)({
      kind: "request",
      requestId: 1,
      name: "post",
      asked: [{ ...empty, lists: [], guarded: [], services: [] }],
    });
    assert.deepEqual(order, expected);
  });

test("a sandbox is settled when the names of its picture are known, and what waits is decided last", () => {
  const order: string[] = [];
  const does = (what: string) => (): void => void order.push(what);
  const nothing = (): void => undefined;
  const parts = {
    view: { usePicture: nothing },
    pending: { forgetTold: nothing },
    ownership: { useEpoch: nothing },
    admission: { rejudge: does("rights") },
    sandboxLayer: { usePicture: does("sandboxes") },
    listeners: { follow: nothing },
    answerer: { useTopology: does("names"), reconsider: does("lookups") },
  } as unknown as PlaneParts;
  usePicture(parts, empty);
  assert.deepEqual(order, ["names", "rights", "sandboxes", "lookups"]);
});
