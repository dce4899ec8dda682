// What happens to a question that arrives in a sandbox: it waits until the sandbox is classified; then we answer it if
// the sandbox is guarded, or pass it on to the engine's resolver if it is open.

import type { Standing } from "../../../core/askers/index-of-askers.ts";
import { contain, contained } from "../../../core/contain.ts";
import type { Transport } from "../../../core/dns/wire/message.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import type { Sandbox } from "../sandbox.ts";
import { askInSandbox } from "./relay.ts";

export interface SandboxQuery {
  readonly message: Uint8Array;
  readonly transport: Transport;
  /** File name of the sandbox. */
  readonly sandbox: string;
  /** By performance.now(). */
  readonly arrivedAtMs: number;
  readonly isGone: (() => boolean) | undefined;
  readonly reply: (answer: Uint8Array | undefined) => void;
}

export interface QuestionsOptions {
  /** A question of a guarded container. */
  readonly onQuery: (query: SandboxQuery, standing: () => Standing) => void;
  /** A question of a container that could not be classified in time: it must be answered with a failure. */
  readonly onStranger: (query: SandboxQuery) => void;
  /** The asker of a question cannot be classified yet. */
  readonly onUnknown: () => void;
  /** The engine's resolver must be within reach of this sandbox on return. */
  readonly release: (sandbox: Sandbox) => void;
  readonly onProblem: (problem: string) => void;
}

export interface Questions {
  receive(sandbox: Sandbox, query: SandboxQuery): void;
  /** To be called when a sandbox has been classified. */
  settle(sandbox: Sandbox): void;
  forget(sandbox: Sandbox): void;
}

/** How long a question waits for its asker to be classified; Docker's own resolver gives up after 4 s. */
const classifyWithinMs = 3_500;
const maxWaiting = 256;
const maxRelayed = 32;

/** Of one sandbox. */
interface Asked {
  readonly waiting: SandboxQuery[];
  /** Questions that are with the engine's resolver now. */
  relayed: number;
}

export function createQuestions(options: QuestionsOptions): Questions {
  const bySandbox = new WeakMap<Sandbox, Asked>();

  function askedIn(sandbox: Sandbox): Asked {
    const known = bySandbox.get(sandbox);
    if (known !== undefined) return known;
    const asked: Asked = { waiting: [], relayed: 0 };
    bySandbox.set(sandbox, asked);
    return asked;
  }

  function told(query: SandboxQuery, error: unknown): void {
    options.onProblem(`sandbox ${query.sandbox}: ${messageOf(error)}`);
  }

  /** Answers with a failure; where that fails too, with silence. */
  function fail(query: SandboxQuery): void {
    contain(
      () => options.onStranger(query),
      (error) => {
        query.reply(undefined);
        told(query, error);
      },
    );
  }

  function wait(sandbox: Sandbox, query: SandboxQuery): void {
    const { waiting } = askedIn(sandbox);
    if (waiting.length >= maxWaiting) {
      fail(query);
      return;
    }
    waiting.push(query);
    const expire = (): void => {
      const index = waiting.indexOf(query);
      if (index < 0) return;
      waiting.splice(index, 1);
      fail(query);
    };
    setTimeout(
      contained(expire, (error) => told(query, error)),
      classifyWithinMs,
    );
    options.onUnknown();
  }

  /** Our sockets stay in a released sandbox, where its container could flood them: only so many at a time. */
  function relay(sandbox: Sandbox, query: SandboxQuery): void {
    const asked = askedIn(sandbox);
    if (asked.relayed >= maxRelayed) {
      fail(query);
      return;
    }
    // The engine's resolver is behind the capture as long as that stands.
    options.release(sandbox);
    asked.relayed += 1;
    const relayed = askInSandbox(sandbox.namespaceFd, query.message)
      .then(query.reply, () => fail(query))
      .finally(() => {
        asked.relayed -= 1;
      });
    contain(
      () => relayed,
      (error) => told(query, error),
    );
  }

  function dispatch(sandbox: Sandbox, query: SandboxQuery): void {
    switch (sandbox.standing.kind) {
      case "guarded":
        options.onQuery(query, () => sandbox.standing);
        break;
      case "open":
        relay(sandbox, query);
        break;
      case "unknown":
        throw new DockerwallError("INTERNAL", "a question was dispatched before its sandbox was classified");
    }
  }

  return {
    receive(sandbox, query) {
      if (sandbox.standing.kind === "unknown") wait(sandbox, query);
      else dispatch(sandbox, query);
    },
    settle(sandbox) {
      for (const query of askedIn(sandbox).waiting.splice(0)) {
        contain(
          () => dispatch(sandbox, query),
          (error) => {
            told(query, error);
            fail(query);
          },
        );
      }
    },
    forget: (sandbox) => void bySandbox.delete(sandbox),
  };
}
