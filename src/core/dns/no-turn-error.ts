// A lookup that did not get a place among running work, or lost it.

import { DockerwallError } from "../../errors.ts";

const noTurnTexts = {
  /** Its asker has too much work under way. */
  crowded: "this container has too many lookups under way",
  /** Too little time was left when its turn came. */
  late: "the lookup waited too long for its turn",
  /** The client no longer waits for the answer. */
  gone: "its client has closed the connection",
  /** It may not be asked, nor answered, any more. */
  denied: "the name is no longer allowed: what allowed it ended, or was changed, during the lookup",
} as const;

/** The reason is the asker's own load, or its policy, not an upstream: the failure must not reach other askers. */
export class NoTurnError extends DockerwallError {
  readonly reason: keyof typeof noTurnTexts;

  constructor(reason: keyof typeof noTurnTexts) {
    super("INTERNAL", noTurnTexts[reason]);
    this.name = "NoTurnError";
    this.reason = reason;
  }
}
