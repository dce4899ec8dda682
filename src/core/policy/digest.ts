// Digests of policies, so that a restarted daemon can see whether its predecessor decided by the same policy.

import { createHash } from "node:crypto";

/** Equal exactly for equal texts, across runs too. */
export function digestOf(texts: readonly string[]): string {
  return createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 16);
}
