// Of streams gone wrong, each request that passes is read by others as by us: by the most lenient reading that could be
// thought of, and by Node's own server, where that takes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mutated } from "../../../../support/http/mutated.ts";
import { type NaiveRequest, naiveRequests } from "../../../../support/http/naive.ts";
import { nodeReads } from "../../../../support/http/node-reads.ts";
import { type WalkedRequest, walk } from "../../../../support/http/walk.ts";
import { seeded } from "../../../../support/seeded.ts";

const rounds = 20_000;

/** How much of each kind a run has seen. */
class Seen {
  passed = 0;
  refused = 0;
  inChunks = 0;
  byNode = 0;
}

async function compare(bytes: Buffer, seen: Seen, about: string): Promise<void> {
  const { requests, refusal } = walk([bytes]);
  if (refusal !== undefined) seen.refused++;
  // What was refused within its body was let through until there.
  if (requests.length === 0) return;
  const naive = naiveRequests(bytes.toString("latin1"));
  for (const [at, request] of requests.entries()) assertSame(request, naive[at], about);
  seen.passed += requests.length;
  seen.inChunks += requests.filter(({ body }) => body === "chunks").length;
  const byNode = await nodeReads(bytes);
  for (const [at, request] of requests.entries()) {
    const taken = byNode[at];
    if (taken === undefined || request.bodyBytes === undefined) break;
    assert.equal(taken.method, request.method, about);
    assert.equal(taken.host?.replace(/:[0-9]+$/, "").toLowerCase(), request.host, about);
    assert.equal(taken.content, naive[at]?.content, about);
    seen.byNode++;
  }
  // Node takes no more than we do, of what was not refused.
  if (refusal === undefined) assert.ok(byNode.length <= requests.length, about);
}

function assertSame(ours: WalkedRequest, theirs: NaiveRequest | undefined, about: string): void {
  assert.ok(theirs !== undefined, about);
  const lengths = [...theirs.lengths].map(Number);
  assert.deepEqual([...theirs.hosts], [ours.host], about);
  assert.deepEqual([...theirs.codings], ours.body === "chunks" ? ["chunked"] : [], about);
  if (ours.body === "chunks") assert.deepEqual(lengths, [], about);
  else assert.equal(lengths[0] ?? 0, ours.body, about);
  assert.equal(theirs.headBytes, ours.headBytes, about);
  if (ours.bodyBytes !== undefined) assert.equal(theirs.bodyBytes, ours.bodyBytes, about);
}

test("mutated requests are refused, or read as everybody reads them", async () => {
  const random = seeded(5);
  const seen = new Seen();
  for (let round = 0; round < rounds; round++) {
    const bytes = mutated(random);
    await compare(bytes, seen, `round ${round}: ${JSON.stringify(bytes.toString("latin1"))}`);
  }
  // The run must reach what it is about.
  assert.ok(
    seen.passed > 8_000 && seen.refused > 8_000 && seen.inChunks > 1_000 && seen.byNode > 3_000,
    JSON.stringify(seen),
  );
});
