import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { partsOf, type Right } from "../../../../src/core/grants/right.ts";
import { anyService, renderService, type Service } from "../../../../src/core/model/service.ts";

const https: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
const right: Right = { service: anyService, domain: "a.example.com", expiresAtMs: 100 };

/** Services that are allowed, when that ends, and what is kept: each with its expiry, and its end if it has one. */
const cases: readonly [
  title: string,
  kept: readonly (readonly [service: Service, endsAtMs: number])[],
  left: readonly string[],
][] = [
  ["nothing that is not allowed", [], []],
  ["all of it without an end", [[anyService, Infinity]], ["any 100"]],
  ["its end where that is sooner", [[anyService, 50]], ["any 50 of 50"]],
  ["its end where that is later, for renewals", [[anyService, 300]], ["any 100 of 300"]],
  [
    "the last of several ends",
    [
      [anyService, 200],
      [anyService, 300],
      [anyService, 50],
    ],
    ["any 100 of 300"],
  ],
  [
    "no part that does not outlast the whole",
    [
      [anyService, 300],
      [https, 300],
    ],
    ["any 100 of 300"],
  ],
  [
    "a part that is open for longer",
    [
      [anyService, 50],
      [https, Infinity],
    ],
    ["any 50 of 50", "443/tcp 100"],
  ],
  [
    "a part that may be renewed for longer",
    [
      [anyService, 300],
      [https, Infinity],
    ],
    ["any 100 of 300", "443/tcp 100"],
  ],
];

describe("of a right is kept", () => {
  for (const [title, kept, left] of cases)
    it(title, () => {
      const parts = partsOf(
        right,
        kept.map(([service, endsAtMs]) => ({ domain: right.domain, service, endsAtMs })),
      );
      const texts = parts.map(({ service, expiresAtMs, endsAtMs }) =>
        [renderService(service), expiresAtMs, ...(endsAtMs === undefined ? [] : ["of", endsAtMs])].join(" "),
      );
      assert.deepEqual(texts, left);
    });
});
