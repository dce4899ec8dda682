import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namesToAsk, serversIn } from "../../../../../src/core/path/files/search-list.ts";

describe("the names that getaddrinfo looks up", () => {
  const cases: readonly [what: string, text: string, name: string, expected: readonly string[]][] = [
    ["without a search list", "nameserver 127.0.0.11\n", "db", ["db"]],
    ["as Docker writes it", "search corp.example\noptions ndots:0\n", "db", ["db", "db.corp.example"]],
    ["too few dots", "search corp.example lan.example", "db", ["db.corp.example", "db.lan.example", "db"]],
    [
      "dots enough",
      "search corp.example",
      "www.example.com",
      ["www.example.com", "www.example.com.corp.example"],
    ],
    [
      "more dots wanted",
      "search corp.example\noptions edns0 ndots:5",
      "www.example.com",
      ["www.example.com.corp.example", "www.example.com"],
    ],
    ["the last line counts", "search a.example\ndomain B.example. c.example", "db", ["db.b.example", "db"]],
    ["comments, and what is no domain", "search a.example ..;x b..c # d", "db", ["db.a.example", "db"]],
    ["a root that is searched", "search .", "db", ["db"]],
  ];
  for (const [what, text, name, expected] of cases)
    it(what, () => assert.deepEqual(namesToAsk(text, name), expected));

  it("no more of them than clients take, and none that is too long", () => {
    const many = Array.from({ length: 20 }, (_, index) => `d${index}.example`).join(" ");
    assert.equal(namesToAsk(`search ${many}`, "db").length, 7);
    assert.deepEqual(namesToAsk(`search ${"a".repeat(60)}.example`, `${"b.".repeat(100)}c`).length, 1);
  });
});

describe("the servers that clients ask", () => {
  it("three at most; the host itself where none is named", () => {
    const text = [1, 2, 3, 4].map((last) => `nameserver 203.0.113.${last}`).join("\n");
    assert.deepEqual(serversIn(text), ["203.0.113.1", "203.0.113.2", "203.0.113.3"]);
    assert.deepEqual(serversIn("search a.example"), ["127.0.0.1"]);
  });
});
