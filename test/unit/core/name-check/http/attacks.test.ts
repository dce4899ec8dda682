// What servers may read differently is refused, whatever it is that they would make of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HttpRefusal } from "../../../../../src/core/name-check/refusals.ts";
import { attacks } from "../../../../support/http/attacks.ts";
import { walk } from "../../../../support/http/walk.ts";

const refusals = Object.keys(attacks) as HttpRefusal[];

for (const refusal of refusals) {
  describe(`refused for ${refusal}`, () => {
    for (const [attack, text] of Object.entries(attacks[refusal])) {
      it(attack, () => assert.equal(walk([Buffer.from(text, "latin1")]).refusal, refusal));
    }
  });
}
