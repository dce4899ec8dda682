import assert from "node:assert/strict";
import { test } from "node:test";
import { refusals, sentence } from "../../../../src/core/name-check/refusals.ts";

test("every refusal has a sentence of its own, which names the way out", () => {
  const texts = refusals.map(sentence);
  assert.equal(new Set(texts).size, refusals.length);
  for (const [index, text] of texts.entries()) {
    assert.match(text, /^[a-z].*(\/tcp|192\.0\.2\.10:443)/, refusals[index]);
    assert.doesNotMatch(text, /\.$|\n/, refusals[index]);
  }
});
