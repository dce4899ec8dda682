// The life of the data plane's thread, from its start to its end.

import { contain } from "../core/contain.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { FromDataPlane, ToDataPlane } from "./messages.ts";
import { Requests } from "./requests.ts";

/** What is used of a worker thread. */
export interface Thread {
  postMessage(message: ToDataPlane): void;
  on(event: "message", listener: (message: FromDataPlane) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
}

/** Messages that settle no request, and say nothing about the thread's own life. */
export type Report = Exclude<
  FromDataPlane,
  { readonly kind: "ready" | "failed" } | { readonly requestId: number }
>;

export interface ThreadEvents {
  readonly onReport: (report: Report) => void;
  readonly onProblem: (problem: string) => void;
  /** It served, and is gone or cannot go on; called once. */
  readonly onDeath: (error: Error) => void;
}

export class DataPlaneThread {
  readonly #thread: Thread;
  readonly #events: ThreadEvents;
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #state: "starting" | "serving" | "dead" | "ending" = "starting";
  readonly requests: Requests;

  constructor(thread: Thread, events: ThreadEvents) {
    this.#thread = thread;
    this.#events = events;
    this.requests = new Requests((message) => thread.postMessage(message));
    // What one message asks for may fail; the next one is taken all the same.
    thread.on("message", (message) =>
      contain(
        () => this.#take(message),
        (error) => events.onProblem(`message ${message.kind}: ${messageOf(error)}`),
      ),
    );
    thread.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    thread.on("exit", (code) => {
      this.#exited.resolve();
      const error = new DockerwallError("INTERNAL", `the data plane ended with exit code ${code}`);
      if (this.#state === "ending") this.requests.fail(error);
      else this.#fail(error);
    });
  }

  /** Resolves when the data plane serves. @throws what kept it from that, once the thread has ended */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  post(message: ToDataPlane): void {
    this.#thread.postMessage(message);
  }

  /** Resolves when the thread has ended. */
  async end(): Promise<void> {
    if (this.#state !== "ending") this.post({ kind: "end" });
    this.#state = "ending";
    await this.#exited.promise;
  }

  #take(message: FromDataPlane): void {
    if ("requestId" in message) this.requests.settle(message);
    else if (message.kind === "failed") this.#fail(new DockerwallError(message.code, message.message));
    else if (message.kind === "ready") this.#serve();
    else this.#events.onReport(message);
  }

  #serve(): void {
    if (this.#state === "starting") this.#state = "serving";
    this.#ready.resolve();
  }

  #fail(error: Error): void {
    const before = this.#state;
    this.requests.fail(error);
    if (before === "starting") {
      void this.end().then(() => this.#ready.reject(error));
    } else if (before === "serving") {
      this.#state = "dead";
      this.#events.onDeath(error);
    } else if (before === "ending") {
      this.#events.onProblem(`while it ended: ${messageOf(error)}`);
    }
  }
}
