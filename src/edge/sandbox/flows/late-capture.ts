// What is known of a sandbox that was captured when its container may have been asking already.

import type { LateCapture } from "../../../core/askers/late-captures.ts";
import { withNamespace } from "../../kernel/netns.ts";
import type { ContainFor, Sandbox } from "../sandbox.ts";
import { hasAskedPast } from "./resolver-flows.ts";

/** @param mayEngineAsk whether the engine may be asking a resolver in the network namespace of the calling thread */
export function lateCaptureOf(
  sandbox: Sandbox,
  attempt: ContainFor,
  mayEngineAsk: () => boolean,
): LateCapture {
  /** What cannot be told may be so. */
  function isOrMayBe(ask: () => boolean): boolean {
    let answer = true;
    attempt(sandbox.name, () => {
      answer = withNamespace(sandbox.namespaceFd, ask);
    });
    return answer;
  }

  return {
    standing: () => sandbox.standing.kind,
    hasAskedPast() {
      sandbox.askedPast ||= isOrMayBe(() => hasAskedPast(sandbox.ports));
      return sandbox.askedPast;
    },
    isAskedFrom: () => isOrMayBe(mayEngineAsk),
  };
}
