// What happens to a question that arrives in a sandbox: it waits until the sandbox is classified; then we answer it if
// the sandbox is guarded, or pass it on to the engine's resolver if it is open.

import type { Standing } from "../../../core/askers/standing.ts";
import { contain, tellFailure } from "../../../core/contain.ts";
import { Waiting } from "../../../core/waiting.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import { after } from "../../host/every.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxQuery } from "./query.ts";
import { askInSandbox } from "./relay.ts";

export interface QuestionsOptions {
  /** A question of a guarded container. */
  readonly onQuery: (query: SandboxQuery, standing: () => Standing) => void;
  /**
   * A question that has no answer: it must be answered with a failure.
   * @param isKnown false for that of a container that could not be classified in time
   */
  readonly onUnanswerable: (query: SandboxQuery, isKnown: boolean) => void;
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
}

/** Questions of one sandbox that are with the engine's resolver at a time. */
const maxRelayed = 32;

/** How long a question waits for its asker to be classified, ms; Docker's own resolver gives up after 4 s. */
const classifyWithinMs = 3_500;
/** Questions that wait for that, of one sandbox and of all. */
const places = { perAsker: 256, inAll: 16_384 };

export function createQuestions(options: QuestionsOptions): Questions {
  return new SandboxQuestions(options);
}

class SandboxQuestions implements Questions {
  readonly #options: QuestionsOptions;
  readonly #waiting: Waiting;
  /** Questions that are with the engine's resolver now. */
  readonly #relayed = new WeakMap<Sandbox, number>();

  constructor(options: QuestionsOptions) {
    this.#options = options;
    this.#waiting = new Waiting({
      ...places,
      nowMs: () => performance.now(),
      after,
      onFailure: (error) => options.onProblem(`a question that waited: ${messageOf(error)}`),
    });
  }

  receive(sandbox: Sandbox, query: SandboxQuery): void {
    if (sandbox.standing.kind === "unknown") this.#wait(sandbox, query);
    else this.#tryDispatch(sandbox, query);
  }

  settle(sandbox: Sandbox): void {
    this.#waiting.judge(sandbox.name);
  }

  #wait(sandbox: Sandbox, query: SandboxQuery): void {
    const isPlaced = this.#waiting.add({
      asker: sandbox.name,
      deadlineAtMs: query.arrivedAtMs + classifyWithinMs,
      decide: () => this.#decide(sandbox, query),
      refuse: () => this.#fail(sandbox, query),
    });
    if (isPlaced) this.#options.onUnknown();
    else this.#fail(sandbox, query);
  }

  #decide(sandbox: Sandbox, query: SandboxQuery): "decided" | "waits" {
    if (sandbox.standing.kind === "unknown") return "waits";
    this.#tryDispatch(sandbox, query);
    return "decided";
  }

  #tryDispatch(sandbox: Sandbox, query: SandboxQuery): void {
    try {
      this.#dispatch(sandbox, query);
    } catch (error) {
      tellFailure(error, (cause) => this.#tell(query, cause));
      this.#fail(sandbox, query);
    }
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
    const under = this.#relayed.get(sandbox) ?? 0;
    if (under >= maxRelayed) {
      this.#fail(sandbox, query);
      return;
    }
    // The engine's resolver is behind the capture as long as that stands.
    this.#options.release(sandbox);
    this.#relayed.set(sandbox, under + 1);
    const relayed = askInSandbox(sandbox.namespaceFd, query.message)
      .then(query.reply, () => this.#fail(sandbox, query))
      .finally(() => this.#relayed.set(sandbox, (this.#relayed.get(sandbox) ?? 1) - 1));
    contain(
      () => relayed,
      (error) => this.#tell(query, error),
    );
  }

  /** Answers with a failure; where that fails too, with silence. */
  #fail({ standing }: Sandbox, query: SandboxQuery): void {
    contain(
      () => this.#options.onUnanswerable(query, standing.kind !== "unknown"),
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
