// What happens to a question that arrives in a sandbox: it waits until the sandbox is classified; then we answer it if
// the sandbox is guarded, or pass it on to the engine's resolver if it is open.

import type { Standing } from "../../../core/askers/index-of-askers.ts";
import { contain } from "../../../core/contain.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxQuery } from "./query.ts";
import { askInSandbox } from "./relay.ts";
import { WaitingQuestions } from "./waiting.ts";

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

/** Questions of one sandbox that are with the engine's resolver at a time. */
const maxRelayed = 32;

/** Of one sandbox. */
interface Asked {
  readonly waiting: WaitingQuestions;
  /** Questions that are with the engine's resolver now. */
  relayed: number;
}

export function createQuestions(options: QuestionsOptions): Questions {
  return new SandboxQuestions(options);
}

class SandboxQuestions implements Questions {
  readonly #options: QuestionsOptions;
  readonly #bySandbox = new WeakMap<Sandbox, Asked>();

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  receive(sandbox: Sandbox, query: SandboxQuery): void {
    if (sandbox.standing.kind === "unknown") this.#wait(sandbox, query);
    else this.#dispatch(sandbox, query);
  }

  settle(sandbox: Sandbox): void {
    for (const query of this.#askedIn(sandbox).waiting.take()) {
      contain(
        () => this.#dispatch(sandbox, query),
        (error) => {
          this.#tell(query, error);
          this.#fail(query);
        },
      );
    }
  }

  forget(sandbox: Sandbox): void {
    this.#bySandbox.delete(sandbox);
  }

  #askedIn(sandbox: Sandbox): Asked {
    const known = this.#bySandbox.get(sandbox);
    if (known !== undefined) return known;
    const waiting = new WaitingQuestions({
      onExpire: (query) => this.#fail(query),
      onFailure: (query, error) => this.#tell(query, error),
    });
    const asked: Asked = { waiting, relayed: 0 };
    this.#bySandbox.set(sandbox, asked);
    return asked;
  }

  #wait(sandbox: Sandbox, query: SandboxQuery): void {
    if (this.#askedIn(sandbox).waiting.add(query)) this.#options.onUnknown();
    else this.#fail(query);
  }

  #dispatch(sandbox: Sandbox, query: SandboxQuery): void {
    switch (sandbox.standing.kind) {
      case "guarded":
        this.#options.onQuery(query, () => sandbox.standing);
        break;
      case "open":
        this.#relay(sandbox, query);
        break;
      case "unknown":
        throw new DockerwallError("INTERNAL", "a question was dispatched before its sandbox was classified");
    }
  }

  /** Our sockets stay in a released sandbox, where its container could flood them: only so many at a time. */
  #relay(sandbox: Sandbox, query: SandboxQuery): void {
    const asked = this.#askedIn(sandbox);
    if (asked.relayed >= maxRelayed) {
      this.#fail(query);
      return;
    }
    // The engine's resolver is behind the capture as long as that stands.
    this.#options.release(sandbox);
    asked.relayed += 1;
    const relayed = askInSandbox(sandbox.namespaceFd, query.message)
      .then(query.reply, () => this.#fail(query))
      .finally(() => {
        asked.relayed -= 1;
      });
    contain(
      () => relayed,
      (error) => this.#tell(query, error),
    );
  }

  /** Answers with a failure; where that fails too, with silence. */
  #fail(query: SandboxQuery): void {
    contain(
      () => this.#options.onStranger(query),
      (error) => {
        query.reply(undefined);
        this.#tell(query, error);
      },
    );
  }

  #tell(query: SandboxQuery, error: unknown): void {
    this.#options.onProblem(`sandbox ${query.sandbox}: ${messageOf(error)}`);
  }
}
