import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Looked } from "../../../src/core/dns/cached-lookup.ts";
import { nameFromPlainText, nameText, rootName } from "../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../src/core/dns/wire/question.ts";
import { taken } from "../../../src/core/taker.ts";
import { NetworkResolvers, type UpstreamChoice } from "../../../src/data/resolvers.ts";
import { messageOf } from "../../../src/errors.ts";
import { rawRecord } from "../../support/dns-bytes.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";

function questionFor(text: string, type = 1): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type };
}

/** An answer of 32 KB with text: of addresses no more are kept than may be told. */
function longAnswerTo(message: Uint8Array): Buffer {
  const rdata = Buffer.alloc(256, 255);
  const records = Array.from({ length: 120 }, () =>
    rawRecord({ owner: Buffer.from([0xc0, 12]), type: 16, rdata }),
  );
  const answer = answerTo(message, []);
  answer.writeUInt16BE(records.length, 6);
  return Buffer.concat([answer, ...records]);
}

const lookUp = (
  resolvers: NetworkResolvers,
  question: Question,
  asking: Parameters<NetworkResolvers["lookUp"]>[1],
): Promise<Looked> => taken((taker) => resolvers.lookUp(question, asking, taker));

test("each choice of resolvers has its own answers", async () => {
  const servers = await Promise.all(
    ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map((address) =>
      startFakeUpstream({ onUdp: ({ message, reply }) => reply(answerTo(message, [address])) }),
    ),
  );
  const [one, two, three] = servers.map(({ address, port }) => [{ address, port }]);
  const resolvers = new NetworkResolvers(one ?? [], assert.fail);
  const ask = async (choice: UpstreamChoice, name = "www.example.org"): Promise<readonly string[]> => {
    const { answer } = await lookUp(resolvers, questionFor(name), {
      asker: "a",
      networkId: "n",
      choice,
      deadlineAtMs: performance.now() + 3_000,
    });
    return answer.kind === "answer" ? answer.addresses.map(({ address }) => address) : [];
  };
  try {
    assert.deepEqual(await ask(undefined), ["203.0.113.1"]);
    assert.deepEqual(await ask(two), ["203.0.113.2"]);
    assert.deepEqual(await ask(undefined), ["203.0.113.1"]);
    await assert.rejects(ask([]), /no upstream resolver is configured/);
    resolvers.retain([two, undefined].map((choice) => ({ id: "n", choice })));
    assert.deepEqual(await ask(two), ["203.0.113.2"]);
    resolvers.retain([{ id: "n", choice: undefined }]);
    assert.deepEqual(await ask(two), ["203.0.113.2"]);
    // Other resolvers of the daemon: what is cached stays good, what is new is asked of them.
    resolvers.useUpstreams(three ?? []);
    assert.deepEqual(await ask(undefined), ["203.0.113.1"]);
    assert.deepEqual(await ask(undefined, "new.example.org"), ["203.0.113.3"]);
  } finally {
    resolvers.useUpstreams([]);
    resolvers.retain([]);
    await Promise.all(servers.map((server) => server.close()));
  }
});

test("a part of a network's resolvers, as an asker behind the others may ask, stays with the network", async () => {
  let asked = 0;
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asked++;
      reply(answerTo(message, ["203.0.113.1"]));
    },
  });
  const part = [{ address: server.address, port: server.port }];
  const other = { address: server.address, port: 1 };
  const resolvers = new NetworkResolvers([...part, other], assert.fail);
  const ask = async (choice: UpstreamChoice): Promise<unknown> =>
    lookUp(resolvers, questionFor("www.example.org"), {
      asker: "a",
      networkId: "n",
      choice,
      deadlineAtMs: performance.now() + 3_000,
    });
  try {
    await ask(part);
    for (const choice of [undefined, [other, ...part]]) {
      resolvers.retain([{ id: "n", choice }]);
      await ask(part);
      assert.equal(asked, 1);
    }
    resolvers.retain([{ id: "n", choice: [other] }]);
    await ask(part);
    assert.equal(asked, 2);
  } finally {
    resolvers.useUpstreams([]);
    resolvers.retain([]);
    await server.close();
  }
});

test("what waits for its turn when its network's resolvers are no one's any more is still asked", async () => {
  const held: (() => void)[] = [];
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => void held.push(() => reply(answerTo(message, ["203.0.113.1"]))),
  });
  const choice = [{ address: server.address, port: server.port }];
  const resolvers = new NetworkResolvers([], assert.fail);
  const ask = async (name: string): Promise<string> =>
    (
      await lookUp(resolvers, questionFor(name), {
        asker: "a",
        networkId: "n",
        choice,
        deadlineAtMs: performance.now() + 3_000,
      })
    ).answer.kind;
  try {
    const asked = Array.from({ length: 257 }, (_, i) => ask(`n${i}.example.org`));
    assert.deepEqual(resolvers.stats(), { running: 256, waiting: 1 });
    resolvers.retain([]);
    while (held.length < 256) await sleep(10);
    for (const answer of held.splice(0)) answer();
    while (held.length < 1) await Promise.race([sleep(10), asked[256]]);
    for (const answer of held) answer();
    assert.deepEqual(new Set(await Promise.all(asked)), new Set(["answer"]));
  } finally {
    resolvers.useUpstreams([]);
    await server.close();
  }
});

test("one asker has one budget, however many choices of resolvers it asks by, and it holds 1,024 questions", async () => {
  const servers = await Promise.all([1, 2].map(() => startFakeUpstream({ onUdp: () => undefined })));
  const [one, two] = servers.map(({ address, port }) => [{ address, port }]);
  const resolvers = new NetworkResolvers(one ?? [], assert.fail);
  const asked: Promise<string>[] = [];
  const ask = (asker: string, choice: UpstreamChoice): void => {
    const question = questionFor(`n${asked.length}.example.org`);
    const deadlineAtMs = performance.now() + 500;
    const looked = async () => lookUp(resolvers, question, { asker, networkId: "n", choice, deadlineAtMs });
    asked.push(looked().then(() => "answered", messageOf));
  };
  try {
    for (let i = 0; i < 700; i++) {
      ask("a", undefined);
      ask("a", two);
    }
    const { running, waiting } = resolvers.stats();
    assert.deepEqual([running, waiting], [256, 1_024]);
    ask("b", two);
    assert.equal(resolvers.stats().running, 257);
    const outcomes = await Promise.all(asked);
    const crowded = outcomes.filter((outcome) => outcome === "this container has too many lookups under way");
    assert.equal(crowded.length, 1_400 - 256 - 1_024);
  } finally {
    resolvers.useUpstreams([]);
    resolvers.retain([]);
    await Promise.all(servers.map((server) => server.close()));
  }
});

test("one network's cache says nothing of another's, and no flood puts another's answers out", async () => {
  const asked: string[] = [];
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asked.push(message.toString("latin1", 13, 17).toLowerCase());
      // Long answers come by TCP.
      reply(answerTo(message, [], { flags: 0x8380 }));
    },
    onTcp: longAnswerTo,
  });
  const resolvers = new NetworkResolvers([server], assert.fail);
  const ask = (networkId: string, name: string) =>
    lookUp(resolvers, questionFor(`${name}.example.org`, 16), {
      asker: networkId,
      networkId,
      choice: undefined,
      deadlineAtMs: performance.now() + 3_000,
    });
  const seconds = async (networkId: string): Promise<number> => (await ask(networkId, "same")).ageSeconds;
  try {
    await ask("one", "same");
    assert.deepEqual(asked, ["same"]);
    assert.equal(await seconds("two"), 0);
    assert.deepEqual(asked, ["same", "same"]);
    // More than one network may keep, and more than all together.
    for (let i = 0; i < 150; i++) await ask("flood", `f${i}`);
    assert.equal(asked.length, 152);
    await ask("one", "same");
    assert.equal(asked.length, 152);
    // The oldest of its own are gone.
    await ask("flood", "f0");
    assert.equal(asked.length, 153);
    resolvers.retain([{ id: "two", choice: undefined }]);
    await ask("two", "same");
    assert.equal(asked.length, 153);
    await ask("one", "same");
    assert.equal(asked.length, 154);
  } finally {
    resolvers.useUpstreams([]);
    await server.close();
  }
});

test("what all networks keep is bounded, and who has most gives many answers at a time", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [], { flags: 0x8380 })),
    onTcp: longAnswerTo,
  });
  const resolvers = new NetworkResolvers([server], assert.fail);
  const ask = async (networkId: string, number: number): Promise<number> => {
    const before = server.seen.tcp.length;
    await lookUp(resolvers, questionFor(`f${number}.example.org`, 16), {
      asker: networkId,
      networkId,
      choice: undefined,
      deadlineAtMs: performance.now() + 3_000,
    });
    return server.seen.tcp.length - before;
  };
  /** As many as a network may have alone, nearly. */
  const each = 124;
  try {
    for (let network = 0; network < 8; network++)
      for (let number = 0; number < each; number++) await ask(`n${network}`, number);
    // Beyond what all may have, by eleven.
    for (let number = 0; number < 48; number++) await ask("last", number);
    // Those that were asked for first, and no more than a sixteenth of them.
    assert.deepEqual([await ask("n0", 8), await ask("n0", 4)], [0, 1]);
    assert.equal(await ask("n7", 0), 0);
  } finally {
    resolvers.useUpstreams([]);
    resolvers.retain([]);
    await server.close();
  }
});
