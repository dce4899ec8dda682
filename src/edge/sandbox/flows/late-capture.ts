// What is known of a sandbox that was captured when its container may have been asking already.

import type { LateCapture } from "../../../core/askers/late-captures.ts";
import { withNamespace } from "../../kernel/netns.ts";
import type { Attempt, Sandbox } from "../sandbox.ts";
import { mayHaveAskedPast } from "./past-flows.ts";

/** @param mayEngineAsk whether the engine may be asking a resolver in the network namespace of the calling thread */
export function lateCaptureOf(sandbox: Sandbox, attempt: Attempt, mayEngineAsk: () => boolean): LateCapture {
  return {
    standing: () => sandbox.standing.kind,
    hasAskedPast: () => sandbox.askedPast || mayHaveAskedPast(sandbox, attempt),
    isAskedFrom() {
      // What cannot be told may be so.
      let mayBe = true;
      attempt(sandbox.name, () => {
        mayBe = withNamespace(sandbox.namespaceFd, mayEngineAsk);
      });
      return mayBe;
    },
  };
}
