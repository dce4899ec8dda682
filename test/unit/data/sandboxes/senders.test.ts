// Which addresses a sandbox may send from, beside others that have them or claim them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asker } from "../../../../src/core/askers/knowledge.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { Senders, type SendersOptions } from "../../../../src/data/sandboxes/senders.ts";

const own = "192.0.2.1" as IpAddress;
const shared = "192.0.2.2" as IpAddress;
const linkLocal = "fe80::1" as IpAddress;
const inner = "fe80::2" as IpAddress;
const box = { sandbox: "box" } as unknown as Asker & { readonly sandbox: string };
const found = {
  addresses: [own, shared].map((address) => ({ address, index: 2 })),
  linkLocal: [
    { address: linkLocal, index: 2 },
    { address: inner, index: 3 },
  ],
};

function start(isKnown: boolean): Senders {
  const index = {
    sendersOf: (_asker: unknown, _bridges: unknown, isFree: (address: IpAddress) => boolean) =>
      [own, shared].filter(isFree),
    mayOwn: () => true,
    isKnown: () => isKnown,
  } as unknown as ReturnType<SendersOptions["indexNow"]>;
  const holders = new Map([
    [own, new Set(["box"])],
    [shared, new Set(["box", "other"])],
  ]);
  return new Senders({
    indexNow: () => index,
    holdersOf: (address) => holders.get(address) ?? new Set(),
    isHosts: () => false,
  });
}

test("what another sandbox has too is not one's own, but for one that has just come", () => {
  assert.deepEqual(start(true).claim(box, ["br-1"], found).senders, [own]);
  assert.deepEqual(start(false).claim(box, ["br-1"], found).senders, [own, shared]);
});

test("link-local addresses are those of interfaces by which it is known, until it is gone", () => {
  const senders = start(false);
  const other = { ...box, sandbox: "other" };
  const first = senders.claim(box, ["br-1"], found);
  assert.deepEqual(first.linkLocal, new Map([["br-1", [linkLocal]]]));
  assert.deepEqual(senders.claim(other, ["br-1"], found).linkLocal, new Map([["br-1", []]]));
  senders.gone("box");
  assert.deepEqual(senders.claim(other, ["br-1"], found).linkLocal, first.linkLocal);
});
