// Questions of containers that the engine has not told of, whatever the order of questions, readings, pictures, hangs and
// time: nothing is opened or denied by half of what there is to know, every question is answered once, and in time.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GuardedStanding, Standing } from "../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { decodeMessage } from "../../support/dns-bytes.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { bridgeNetwork, runningContainer } from "../../support/topologies.ts";

const address = "198.18.0.2" as IpAddress;
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      name: fc.constantFrom("db", "cache", "www.example.com"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "begin" as const,
        "end" as const,
        "come" as const,
        "tell" as const,
        "settle" as const,
        "unsettle" as const,
        "wake" as const,
      ),
      name: fc.constant(""),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("second" as const, "moment" as const),
      name: fc.constant(""),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface AskedQuestion {
  readonly name: string;
  readonly atMs: number;
  readonly answers: string[];
}

/** An engine that reads when the test says so, a container that may have a list of its own, and one that may come. */
class World {
  nowMs = 1_000_000;
  readonly #tick: (ms: number) => void;
  readonly #started: ReturnType<typeof startOneNetwork>;
  readonly #questions: AskedQuestion[] = [];
  readonly #membership: GuardedStanding["memberships"];
  #asked = 0;
  #begun = 0;
  #over = 0;
  /** When each reading began. */
  readonly #beganAtMs = new Map<number, number>();
  #isSettled = true;
  #hasCome = false;
  /** What is thrown where an answer is given is the answerer's to contain. */
  readonly #violations: string[] = [];

  constructor(tick: (ms: number) => void) {
    this.#tick = tick;
    this.#started = startOneNetwork({
      options: {
        nameReadings: { ask: () => ++this.#asked, isOver: (number) => this.#over >= number },
        mayHaveCome: () => this.#hasCome,
      },
    });
    const standing = this.#started.index.standingOfSource(address);
    this.#membership = standing.kind === "guarded" ? standing.memberships : assert.fail();
  }

  run({ kind, name }: Step): void {
    const act: Readonly<Record<Step["kind"], () => void>> = {
      ask: () => this.#ask(name),
      begin: () => this.#begin(),
      end: () => this.#end(),
      come: () => {
        this.#hasCome = true;
      },
      tell: () => this.#tell(),
      settle: () => this.#settle(true),
      unsettle: () => this.#settle(false),
      wake: () => this.#started.answerer.reconsider(),
      second: () => this.pass(1_000),
      moment: () => this.pass(30),
    };
    act[kind]();
    assert.deepEqual(this.#violations, []);
    for (const { answers, atMs } of this.#questions) {
      assert.ok(answers.length < 2, "answered twice");
      assert.ok(answers.length === 1 || this.nowMs - atMs < 3_700, "left waiting");
    }
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.nowMs += 10;
      this.#tick(10);
    }
  }

  #ask(name: string): void {
    const question: AskedQuestion = { name, atMs: this.nowMs, answers: [] };
    this.#questions.push(question);
    const standing = (): Standing => ({
      kind: "guarded",
      memberships: this.#membership,
      settled: this.#isSettled,
      mayLose: !this.#isSettled,
    });
    this.#started.answerer.answer({
      message: this.#started.message(name),
      transport: "udp",
      standing,
      arrivedAtMs: this.nowMs,
      reply: (answer) => this.#check(question, decodeMessage(answer ?? assert.fail("silence")).rcode),
    });
  }

  #check({ name, atMs, answers }: AskedQuestion, rcode: string): void {
    answers.push(rcode);
    if (rcode === "SERVFAIL") return;
    const isDockers = name === "db" && rcode === "NOERROR";
    if (!this.#isSettled && !isDockers) this.#violations.push(`${name}: decided for one who is not known`);
    if (rcode !== "NXDOMAIN" || name.includes(".") || !this.#hasCome) return;
    // Both families of one name share a reading: the first of them was asked for before it.
    const first = this.#questions.find((each) => each.name === name && this.#sharesReading(each.atMs, atMs));
    const beganAtMs = this.#beganAtMs.get(this.#over) ?? 0;
    if (this.#over === 0 || beganAtMs < (first?.atMs ?? atMs))
      this.#violations.push(`${name}: denied before the engine was read`);
  }

  #sharesReading(firstMs: number, atMs: number): boolean {
    return atMs - firstMs < 4_000;
  }

  #begin(): void {
    if (this.#begun === this.#asked) return;
    this.#begun = this.#asked;
    this.#beganAtMs.set(this.#begun, this.nowMs);
  }

  #end(): void {
    this.#over = this.#begun;
    this.#started.answerer.reconsider();
  }

  /** A picture names the container that has come: `db`. */
  #tell(): void {
    const { answerer, topology, guarded } = this.#started;
    const containers = [{ ...runningContainer("db", "n1", "198.18.0.9"), name: "db" }];
    this.#hasCome = false;
    answerer.useTopology(
      { ...topology, containers, networks: [...topology.networks, bridgeNetwork("x")] },
      guarded,
    );
    answerer.reconsider();
  }

  #settle(isSettled: boolean): void {
    this.#isSettled = isSettled;
    this.#started.answerer.reconsider();
  }
}

test("nothing is answered by half a picture, nothing twice, and nothing late", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let world: World | undefined;
  mock.method(performance, "now", () => world?.nowMs ?? 1_000_000);
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 50 }), (steps) => {
      world = undefined;
      const current = new World((ms) => mock.timers.tick(ms));
      world = current;
      for (const each of steps) current.run(each);
      current.pass(4_000);
      current.run({ kind: "wake", name: "" });
    }),
    { numRuns: 200 },
  );
});
