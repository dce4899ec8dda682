// What goes by the host's addresses is judged anew as soon as they are others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPrefix, type IpAddress } from "../../../../src/core/model/address.ts";
import { followHostAddresses, HostAddresses } from "../../../../src/data/worker/host-addresses.ts";

const [first, second] = ["192.0.2.1", "192.0.2.2"] as [IpAddress, IpAddress];

test("whoever goes by the host's addresses hears of it when they are others, and then only", () => {
  let addresses = [first];
  const hostAddresses = new HostAddresses(() => addresses);
  const heard: string[] = [];
  const hears = (what: string) => (): void => void heard.push(what);
  const users = {
    hostAddresses,
    answerer: { useHostAddresses: hears("circles"), reconsider: hears("lookups") },
    sandboxLayer: { useHostAddresses: hears("sandboxes") },
  };
  followHostAddresses(users);
  assert.deepEqual(heard, []);
  for (const others of [[first, second], [second], []]) {
    addresses = others;
    followHostAddresses(users);
    assert.deepEqual(heard.splice(0), ["circles", "sandboxes", "lookups"]);
    assert.deepEqual(hostAddresses.prefixes, others.map(hostPrefix));
  }
  followHostAddresses({ ...users, sandboxLayer: undefined });
  assert.deepEqual(heard, []);
});
