// Flows to Docker's resolver that began before a sandbox was captured, and bypass us for as long as they are tracked.

import { after } from "../../host/every.ts";
import { withNamespace } from "../../kernel/netns.ts";
import type { ContainFor, Sandbox, TellOf } from "../sandbox.ts";
import { forgetFlowsPast } from "./resolver-flows.ts";

const betweenForgettingMs = 25;

export interface PastFlows {
  /**
   * A container that was there before us may hold a socket whose flow still leads past us; the guard stops it, and
   * forgetting the flow lets it start anew. Takes the kernel 12 ms, so lookups are let in between.
   */
  forgetSoon(sandbox: Sandbox): void;
}

export function createPastFlows(options: {
  readonly isLive: (sandbox: Sandbox) => boolean;
  /** Tells of what fails, and goes on. */
  readonly attempt: ContainFor;
  readonly tellOf: TellOf;
}): PastFlows {
  const due: Sandbox[] = [];

  function forgetNext(): void {
    const [first] = due;
    if (first !== undefined) options.attempt(first.name, () => forget(first));
    due.shift();
    goOn();
  }

  function forget(sandbox: Sandbox): void {
    if (!options.isLive(sandbox)) return;
    const count = withNamespace(sandbox.namespaceFd, () => forgetFlowsPast(sandbox.ports));
    sandbox.askedPast ||= count > 0;
  }

  function goOn(): void {
    const [next] = due;
    if (next !== undefined) after(betweenForgettingMs, forgetNext, options.tellOf(next.name));
  }

  return {
    forgetSoon(sandbox) {
      due.push(sandbox);
      if (due.length === 1) goOn();
    },
  };
}
