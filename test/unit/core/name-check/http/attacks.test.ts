// What servers may read differently is refused, whatever it is that they would make of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HttpRefusal, sentenceOf } from "../../../../../src/core/name-check/http/refusals.ts";
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

it("each refusal has a sentence of its own", () => {
  const sentences = refusals.map(sentenceOf);
  assert.equal(new Set(sentences).size, refusals.length);
  for (const sentence of sentences) assert.match(sentence, /^(it|its|a|the) .*[^.]$/);
});
