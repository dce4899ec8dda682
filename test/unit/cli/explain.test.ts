// What `explain` prints: the verdict first, then why, what would change it, and the ways.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderExplanation } from "../../../src/cli/commands/explain.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { ExplainReport } from "../../../src/core/model/report/explain.ts";

const source = "198.19.1.2" as IpAddress;
const destination = "203.0.113.7" as IpAddress;

const held: ExplainReport = {
  container: "web",
  target: "www.example.com:443",
  verdict: "dropped",
  step: "other-list",
  because: "it leaves by a_front, whose entries do not cover it",
  change: { kind: "lookup", name: "www.example.com" },
  advice: "send by b_egress",
  problems: [],
  network: "a_front",
  by: undefined,
  names: [],
  secondsLeft: undefined,
  quarantined: false,
  networks: ["a_front", "b_egress"],
  hosts: [],
  answers: [
    {
      type: "A",
      rcode: "NOERROR",
      addresses: [destination],
      refused: ["10.0.0.1" as IpAddress],
      ttlSeconds: 60,
    },
  ],
  paths: [{ source, network: "a_front", destination, verdict: "dropped", step: "other-list" }],
  entries: [],
  flows: [],
};

describe("explain prints", () => {
  it("what holds a packet, and the change", () => {
    assert.equal(
      renderExplanation(held, 0),
      [
        "web → www.example.com:443: dropped ❌",
        "  because       it leaves by a_front, whose entries do not cover it",
        "  to change it  send by b_egress",
        "  way           198.19.1.2 on a_front → 203.0.113.7: dropped",
        "  DNS A         NOERROR 203.0.113.7 for 60s, without 10.0.0.1 (private, or of this host and its networks)",
        "",
      ].join("\n"),
    );
  });

  it("by which command an override was made", () => {
    const foundIn = (source: string): string =>
      /\n {2}found in +(.*)\n/.exec(
        renderExplanation({ ...held, by: { entry: "www.example.org", source, endsAtMs: undefined } }, 0),
      )?.[1] ?? "";
    assert.equal(foundIn('network "x", label dockerwall.allow'), 'network "x", label dockerwall.allow');
    assert.equal(
      foundIn('network "x", command www.example.org'),
      "an override, made by docker exec dockerwall allow network:x www.example.org",
    );
    assert.equal(
      foundIn('container "web", command !@debian, as it was before'),
      "an override, made by docker exec dockerwall deny container:web @debian",
    );
  });

  it("how many packets an entry of the kernel has let pass", () => {
    const lines = (packets: number): string =>
      renderExplanation(
        {
          ...held,
          entries: [
            {
              set: "grant",
              destination,
              service: "tcp:443",
              comment: "www.example.com",
              secondsLeft: 9,
              packets,
            },
          ],
        },
        0,
      );
    assert.match(lines(1), /, 9s left, 1 packet\n/);
    assert.match(lines(2), /, 9s left, 2 packets\n/);
  });

  it("that no lookup of the name is in force", () => {
    const linesOf = (more: Partial<ExplainReport>): readonly string[] =>
      renderExplanation({ ...held, verdict: "passes", ...more }, 725_000)
        .split("\n")
        .filter((line) => / {2}(no )?lookup|neighbour/.test(line));
    assert.deepEqual(linesOf({}), []);
    assert.deepEqual(linesOf({ lookupDue: { lastMs: 5_000 } }), [
      "  no lookup     is in force, the last was 12m ago: nothing passes to its addresses until the container looks it up again; a program that keeps an address for longer than its lookup said loses it",
    ]);
    assert.deepEqual(linesOf({ lookupDue: {} }), [
      "  no lookup     is in force, and none is remembered: nothing passes to its addresses until the container looks it up",
    ]);
    assert.match(
      linesOf({ lookedUpBy: { container: "dns", name: "www.example.com" } }).join(),
      /^ {2}neighbour {5}dns on the same network looked it up as www\.example\.com, /,
    );
  });

  it("an address that the container has from its own /etc/hosts", () => {
    assert.match(
      renderExplanation({ ...held, hosts: [destination], answers: [] }, 0),
      /\n {2}\/etc\/hosts {4}203\.0\.113\.7\n/,
    );
  });

  const verdicts: readonly [verdict: ExplainReport["verdict"], heading: RegExp][] = [
    ["passes", /: passes ✅\n/],
    ["not-ours", /: passes ✅, not filtered\n/],
    ["captured", /: answered by Dockerwall ❌\n/],
    ["refused", /: refused ❌\n/],
    ["no-route", /: not sent ❌\n/],
    ["unknown", /: not known ❌\n/],
  ];
  for (const [verdict, heading] of verdicts)
    it(verdict, () => assert.match(renderExplanation({ ...held, verdict }, 0), heading));

  it("a way that has no source yet", () => {
    const paths = [{ ...held.paths[0], source: undefined, network: undefined }] as ExplainReport["paths"];
    assert.match(renderExplanation({ ...held, paths }, 0), / way +→ 203\.0\.113\.7: dropped\n/);
  });
});
