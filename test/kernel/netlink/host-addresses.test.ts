// The host's own addresses, those of interfaces without a carrier among them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { listHostAddresses } from "../../../src/edge/host/addresses.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

test("a bridge that nobody is on has its addresses all the same", () => {
  run("ip", "link", "add", "br-empty", "type", "bridge");
  run("ip", "link", "set", "br-empty", "up");
  run("ip", "addr", "add", "198.19.1.1/24", "dev", "br-empty");
  run("ip", "addr", "add", "2001:db8::1/64", "dev", "br-empty", "nodad");
  const found = listHostAddresses();
  for (const address of ["127.0.0.1", "::1", "198.19.1.1", "2001:db8::1"])
    assert.ok(
      found.some((each) => each === address),
      `${address} in ${found.join(" ")}`,
    );
});
