// What closing a resolver does to what is under way and to what waits: all of it fails, and nobody is asked any more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../src/core/dns/wire/question.ts";
import {
  defaultResolverSettings,
  Resolver,
  type ResolverSettings,
} from "../../../../src/edge/upstream/resolver.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";

/** Longer than a test may take: what ends sooner was ended. */
const deadlineMs = 30_000;

function questionFor(text: string): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type: 1 };
}

function resolverFor(upstreams: ResolverSettings["upstreams"], change: Partial<ResolverSettings> = {}) {
  return new Resolver({ ...defaultResolverSettings, upstreams, deadlineMs, hedgeMs: deadlineMs, ...change });
}

/** @returns how the queries end */
function ask(resolver: Resolver, ...names: readonly string[]): Promise<readonly string[]> {
  const asked = names.map((name) => resolver.query(questionFor(`${name}.example.org`), "a"));
  return Promise.all(
    asked.map((answer) =>
      answer.then(
        () => "answered",
        () => "failed",
      ),
    ),
  );
}

function closeAtOnce(resolver: Resolver): void {
  resolver.close();
  const { running, waiting } = resolver.stats();
  assert.deepEqual({ running, waiting }, { running: 0, waiting: 0 });
}

test("what waits for its turn fails with what is under way", { timeout: 10_000 }, async () => {
  const asked = Promise.withResolvers<void>();
  const one = await startFakeUpstream({ onUdp: () => asked.resolve() });
  const two = await startFakeUpstream({ onUdp: () => undefined });
  const limits = { running: 1, runningPerAsker: 1, waiting: 1, waitingPerAsker: 1 };
  const resolver = resolverFor([one, two], { limits });
  try {
    const ended = ask(resolver, "under-way", "waiting");
    await asked.promise;
    closeAtOnce(resolver);
    assert.deepEqual(await ended, ["failed", "failed"]);
    assert.deepEqual([one.seen.udp.length, two.seen.udp.length], [1, 0]);
  } finally {
    await one.close();
    await two.close();
  }
});

test("what shares a question under way fails, too, and does not ask it anew", {
  timeout: 10_000,
}, async () => {
  const asked = Promise.withResolvers<void>();
  const server = await startFakeUpstream({ onUdp: () => asked.resolve() });
  const resolver = resolverFor([server], { hedgeMs: 100 });
  try {
    const ended = ask(resolver, "www", "www");
    await asked.promise;
    closeAtOnce(resolver);
    assert.deepEqual(await ended, ["failed", "failed"]);
    assert.equal(server.seen.udp.length, 1);
  } finally {
    await server.close();
  }
});

test("a query does not go on to a server that is closed already", { timeout: 10_000 }, async () => {
  const askedAgain = Promise.withResolvers<void>();
  const one = await startFakeUpstream({ onUdp: () => undefined });
  const two = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      if (two.seen.udp.length === 1) reply(answerTo(message, ["203.0.113.2"]));
      else askedAgain.resolve();
    },
  });
  const resolver = resolverFor([one, two], { hedgeMs: 1_000 });
  try {
    // For the silence of the first one the second one is asked before it from then on.
    assert.deepEqual(await ask(resolver, "www"), ["answered"]);
    const ended = ask(resolver, "www");
    await askedAgain.promise;
    closeAtOnce(resolver);
    assert.deepEqual(await ended, ["failed"]);
    assert.equal(one.seen.udp.length, 1);
  } finally {
    await one.close();
    await two.close();
  }
});

test("a query fails that is under way by TCP", { timeout: 10_000 }, async () => {
  const asked = Promise.withResolvers<void>();
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [], { flags: 0x8380 })),
    onTcp: () => {
      asked.resolve();
      return undefined;
    },
  });
  const resolver = resolverFor([server]);
  try {
    const ended = ask(resolver, "www");
    await asked.promise;
    closeAtOnce(resolver);
    assert.deepEqual(await ended, ["failed"]);
  } finally {
    await server.close();
  }
});
