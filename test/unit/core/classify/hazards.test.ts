import assert from "node:assert/strict";
import { it } from "node:test";
import { forgesNothing, type HostSettings } from "../../../../src/core/classify/hazards.ts";

const plain: HostSettings = {
  privileged: false,
  networkMode: "app",
  pidMode: "",
  capAdd: [],
  mounts: [],
  devices: [],
  environment: [],
};

it("puts nothing on a wire by hand without NET_RAW, whichever way that was said", () => {
  for (const dropped of ["NET_RAW", "CAP_NET_RAW", "net_raw", "ALL"])
    assert.equal(forgesNothing(plain, [dropped]), true);
  assert.equal(forgesNothing({ ...plain, capAdd: ["NET_BIND_SERVICE"] }, ["ALL"]), true);
});

it("may do so with the default capabilities, or others dropped", () => {
  assert.equal(forgesNothing(plain, []), false);
  assert.equal(forgesNothing(plain, ["NET_BIND_SERVICE"]), false);
});

it("may do so where the right was given back, or comes with another", () => {
  for (const capAdd of [["NET_RAW"], ["CAP_NET_RAW"], ["ALL"], ["NET_ADMIN"], ["SYS_ADMIN"]])
    assert.equal(forgesNothing({ ...plain, capAdd }, ["ALL"]), false);
  assert.equal(forgesNothing({ ...plain, privileged: true }, ["ALL"]), false);
  assert.equal(forgesNothing({ ...plain, mounts: ["/var/run/docker.sock"] }, ["ALL"]), false);
});
