// Which sandboxes have an address, also where what follows from a change fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { AddressHolders } from "../../../../src/edge/sandbox/address-holders.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as unknown as [IpAddress, IpAddress, IpAddress];

function found(...addresses: readonly IpAddress[]): Sandbox["found"] {
  const each = addresses.map((address) => ({ address }));
  return { addresses: each } as unknown as Sandbox["found"];
}

test("what fails of an address that is lost keeps no other change from being known", () => {
  const lost: unknown[] = [];
  const failed: unknown[] = [];
  const holders = new AddressHolders(
    (address, name) => {
      lost.push([address, name]);
      if (address === a) throw new Error("refused");
    },
    (name, work) => {
      try {
        work();
      } catch (error) {
        failed.push([name, (error as Error).message]);
      }
    },
  );
  const box = { name: "box", addresses: [], found: found(a, b) } as Partial<Sandbox> as Sandbox;
  holders.note(box);
  box.found = found(c);
  holders.note(box);
  assert.deepEqual(lost, [
    [a, "box"],
    [b, "box"],
  ]);
  assert.deepEqual(failed, [["box", "refused"]]);
  assert.deepEqual(
    [a, b, c].map((address) => holders.of(address).size),
    [0, 0, 1],
  );
  holders.forget(box);
  assert.equal(holders.of(c).size, 0);
});
