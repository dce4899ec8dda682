// What a refusal of the kernel means, by its errno: a caller that passes over one passes over no other.

import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import {
  isInterfaceMissing,
  isInUse,
  isMissing,
  NetlinkError,
} from "../../../../../src/edge/kernel/netlink/refusal.ts";

/** include/uapi/asm-generic/errno-base.h; ipset's own begin at 4096. */
const refusals = [
  { errno: 2, name: "ENOENT", means: "missing" },
  { errno: 19, name: "ENODEV", means: "no-interface" },
  { errno: 16, name: "EBUSY", means: "in-use" },
  { errno: 1, name: "EPERM", means: "other" },
  { errno: 17, name: "EEXIST", means: "other" },
  { errno: 95, name: "EOPNOTSUPP", means: "other" },
  { errno: 4100, name: "IPSET_ERR_BUSY", means: "other" },
] as const;

for (const { errno, name, means } of refusals) {
  test(`a refusal with ${name} means ${means}`, () => {
    const error = new NetlinkError("a request", 0, { errno, hint: "", echo: new Uint8Array() });
    assert.equal(error.reason, means);
    assert.deepEqual(
      [isMissing(error), isInterfaceMissing(error), isInUse(error)],
      [means === "missing", means === "no-interface", means === "in-use"],
    );
  });
}

for (const errno of [
  constants.errno.EOPNOTSUPP,
  constants.errno.EPROTONOSUPPORT,
  constants.errno.EAFNOSUPPORT,
])
  test(`a refusal with ${errno} says that the kernel has no such thing`, () => {
    const error = new NetlinkError("a request", 0, { errno, hint: "", echo: new Uint8Array() });
    assert.equal(error.code, "KERNEL_UNSUPPORTED");
  });

test("what is no refusal of the kernel means nothing of it", () => {
  const other = Object.assign(new Error("no such file"), { code: "ENOENT", errno: 2, reason: "missing" });
  assert.deepEqual([isMissing(other), isInterfaceMissing(other), isInUse(other)], [false, false, false]);
});
