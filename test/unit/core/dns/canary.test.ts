import assert from "node:assert/strict";
import { it } from "node:test";
import { canaryQuery, isOurDenial, rootQuery } from "../../../../src/core/dns/canary.ts";
import { parseQuery } from "../../../../src/core/dns/wire/question.ts";
import { blockedBy, respondNxDomain } from "../../../../src/core/dns/wire/respond.ts";

it("the canary is a well-formed question that our denial answers recognisably", () => {
  const query = parseQuery(canaryQuery());
  assert.ok(query.kind === "query");
  assert.equal(query.question.name, "dockerwall-canary.invalid");
  const denial = respondNxDomain({ head: query, limit: 1232, extendedError: blockedBy("app") });
  assert.equal(isOurDenial(denial), true);
  assert.equal(isOurDenial(respondNxDomain({ head: query, limit: 1232 })), false);
  assert.equal(isOurDenial(undefined), false);
});

it("the question for the root is well-formed", () => {
  const query = parseQuery(rootQuery());
  assert.ok(query.kind === "query");
  assert.equal(query.question.type, 2);
});
