import assert from "node:assert/strict";
import { it } from "node:test";
import {
  addressQuery,
  canaryQuery,
  isOurDenial,
  readAddressAnswer,
  rootProblem,
  rootQuestion,
} from "../../../../src/core/dns/probe.ts";
import { blockedBy } from "../../../../src/core/dns/resolve/denial.ts";
import { extendedErrors, type Rcode, rcodes } from "../../../../src/core/dns/wire/codes.ts";
import { parseQuery, type Query } from "../../../../src/core/dns/wire/question.ts";
import { respondAddresses, respondError, respondNxDomain } from "../../../../src/core/dns/wire/respond.ts";
import { renderUpstreamQuery } from "../../../../src/core/dns/wire/upstream-query.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { rawMessage, rawQuestion, wireName } from "../../../support/dns-bytes.ts";

const denial = { allowed: false, network: "app", by: [] } as const;

function parsed(message: Uint8Array): Query {
  const query = parseQuery(message);
  assert.ok(query.kind === "query");
  return query;
}

it("the canary is a well-formed question that our denial answers recognisably", () => {
  const head = parsed(canaryQuery());
  assert.equal(head.question.name, "dockerwall-canary.invalid");
  assert.equal(head.edns?.payloadSize, 1232);
  const answer = respondNxDomain({ head, limit: 1232, extendedError: blockedBy(denial) });
  assert.equal(isOurDenial(answer), true);
});

const head = parsed(canaryQuery());
const words = blockedBy(denial);
for (const [what, answer] of Object.entries({
  silence: undefined,
  "a denial without a reason": respondNxDomain({ head, limit: 1232 }),
  "another resolver's reason": respondNxDomain({
    head,
    limit: 1232,
    extendedError: { ...words, text: "blocked" },
  }),
  "our words under another code": respondNxDomain({
    head,
    limit: 1232,
    extendedError: { ...words, code: extendedErrors.other },
  }),
  "our words with an address": respondAddresses({
    head,
    limit: 1232,
    extendedError: words,
    addresses: ["203.0.113.5" as IpAddress],
  }),
  "a failure without a reason": respondError({ head, limit: 1232, rcode: rcodes.servFail }),
  "our words as a name": rawMessage({
    flags: 0x8183,
    body: [rawQuestion(wireName("not in dockerwall.allow of app"))],
  }),
  "no message": Buffer.from("not in dockerwall.allow of app"),
})) {
  it(`no denial of ours: ${what}`, () => {
    assert.equal(isOurDenial(answer), false);
  });
}

it("a question for addresses is what a stub resolver sends, and the answer is read back", () => {
  const query = parsed(addressQuery("www.example.org", "AAAA"));
  assert.deepEqual(
    [query.question.name, query.question.type, query.edns],
    ["www.example.org", 28, undefined],
  );
  const addresses = ["2001:db8::5", "2001:db8::1:0:0:6"] as IpAddress[];
  assert.deepEqual(readAddressAnswer(respondAddresses({ head: query, limit: 65_535, addresses })), {
    rcode: "NOERROR",
    addresses,
    ttlSeconds: 600,
  });
});

it("of a denial, its rcode and how long it holds are read", () => {
  const query = parsed(addressQuery("www.example.org", "A"));
  assert.deepEqual(readAddressAnswer(respondNxDomain({ head: query, limit: 65_535 })), {
    rcode: "NXDOMAIN",
    addresses: [],
    ttlSeconds: 5,
  });
});

it("what is no name is no question", () => {
  for (const name of ["a..example.org", `${"x".repeat(64)}.example.org`, `${"x".repeat(256)}.example.org`])
    assert.equal(parseQuery(addressQuery(name, "A")).kind, "reply-now");
});

it("the question for the root is well-formed, and a denial of it or a failure is a problem", () => {
  const query = parsed(
    renderUpstreamQuery(rootQuestion, { edns: false, padded: false, randomWord: undefined }),
  );
  assert.deepEqual([query.question.name, query.question.type], [".", 2]);
  assert.match(rootProblem(respondNxDomain({ head: query, limit: 512 })) ?? "", /NXDOMAIN/);
  assert.match(
    rootProblem(respondError({ head: query, limit: 512, rcode: rcodes.servFail })) ?? "",
    /SERVFAIL/,
  );
  for (const [name, rcode] of [
    ["FORMERR", rcodes.formErr],
    ["NOTIMP", rcodes.notImp],
    ["REFUSED", rcodes.refused],
    ["code 9", 9 as Rcode],
  ] as const)
    assert.match(rootProblem(respondError({ head: query, limit: 512, rcode })) ?? "", new RegExp(name));
  assert.equal(rootProblem(respondError({ head: query, limit: 512, rcode: rcodes.noError })), undefined);
});
