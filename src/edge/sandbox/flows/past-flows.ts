// Flows to Docker's resolver that began before a sandbox was captured, and bypass us for as long as they are tracked.

import { withNamespace } from "../../kernel/netns.ts";
import type { Attempt, Sandbox } from "../sandbox.ts";
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
  readonly attempt: Attempt;
}): PastFlows {
  const due: Sandbox[] = [];

  function forgetNext(): void {
    const [first] = due;
    if (first !== undefined && options.isLive(first)) {
      options.attempt(first.name, () => {
        const count = withNamespace(first.namespaceFd, () => forgetFlowsPast(first.ports));
        first.askedPast ||= count > 0;
      });
    }
    due.shift();
    if (due.length > 0) setTimeout(forgetNext, betweenForgettingMs);
  }

  return {
    forgetSoon(sandbox) {
      due.push(sandbox);
      if (due.length === 1) setTimeout(forgetNext, betweenForgettingMs);
    },
  };
}
