import assert from "node:assert/strict";
import { test } from "node:test";
import { findDirectAccess } from "../../../../src/core/firewall/direct-access.ts";

test("what an engine drops before anything of ours sees it, by the one bridge that is excepted", () => {
  const saved = [
    "*raw",
    ":PREROUTING ACCEPT [0:0]",
    "-A PREROUTING -j DOCKERWALL-RAW",
    "-A PREROUTING -d 198.18.0.2/32 ! -i br-app -j DROP",
    "-A PREROUTING -d 2001:db8::2/128 ! -i br-six -j DROP",
    "-A PREROUTING -d 198.18.0.0/24 ! -i br-app -j DROP",
    "-A PREROUTING -d 198.18.0.3/32 ! -i br-app -p tcp -j DROP",
    "-A OTHER -d 198.18.0.4/32 ! -i br-app -j DROP",
    "COMMIT",
    "*mangle",
    "-A PREROUTING -d 198.18.0.5/32 ! -i br-app -j DROP",
  ].join("\n");
  assert.deepEqual(
    [...findDirectAccess(saved)],
    [
      ["198.18.0.2", "br-app"],
      ["2001:db8::2", "br-six"],
    ],
  );
});
