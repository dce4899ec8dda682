import assert from "node:assert/strict";
import { test } from "node:test";
import { type Run, renderDocument } from "../../../bench/document.ts";

const rounds = { counted: 3, dropped: 0, isNoisy: false };
const figures = { goneOfDnsmasq: 1.06, deniedOfDnsmasq: 1.05, missingOfDnsmasq: 0.9 };

/** The document of a run in which dnsmasq gave so many wrong answers about names that are gone. */
function documentOf(wrong: number): string {
  const sides = { goneOfDnsmasq: [{ name: "dnsmasq", wrong }] };
  const part = { seconds: 1, loadBefore: "0", loadAfter: "0", foreign: 0 };
  const result = { figures, sides, tables: [], notes: [], rounds };
  const about: Omit<Run, "parts"> = { date: "a date", commit: "a commit", isLong: false, machine: [] };
  return renderDocument({ ...about, parts: { lookups: { ...part, result } } });
}

const rowOf = (document: string, what: string): string | undefined =>
  document.split("\n").find((line) => line.startsWith(`| ${what}`));
const gone = "NXDOMAIN of names asked for before, of dnsmasq's";

test("document: a goal whose peer did other work is neither met nor missed, and says so", () => {
  const text = documentOf(1);
  assert.equal(
    rowOf(text, gone),
    `| ${gone} | at least 1× |  | no ratio, as this is other work: 100.0 % of the answers of dnsmasq were wrong |`,
  );
  assert.match(text, /^1 of 3 goals are met\. No ratio, as a server did other work: 1\.$/m);
});

test("document: a goal whose peer did the same work is met", () => {
  const text = documentOf(0);
  assert.equal(rowOf(text, gone), `| ${gone} | at least 1× | 1.06× | met |`);
  assert.match(text, /^2 of 3 goals are met\.$/m);
});
