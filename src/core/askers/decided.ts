// What the policies of an asker's networks say of a name, each by itself and all together: what one of them allows is
// allowed.

import type { Policy } from "../policy/decide/policy.ts";
import { type Decision, decideName } from "../policy/decide.ts";
import type { Membership } from "./standing.ts";

/** What one membership says of a name. */
export interface Decided {
  readonly membership: Membership;
  /** The membership's. */
  readonly policy: Policy;
  readonly decision: Decision;
}

/** What each membership says of a name, in their order. */
export function decideForEach(
  memberships: readonly Membership[],
  name: string,
  nowMs: number,
): readonly Decided[] {
  return memberships.map((membership) => {
    const { policy } = membership;
    return { membership, policy, decision: decideName(policy, name, nowMs) };
  });
}

/** What all memberships together say: a name is allowed when one of them allows it, else denied by who names it. */
export function joinDecisions(decided: readonly Pick<Decided, "decision">[]): Decision {
  const [only] = decided;
  if (decided.length === 1 && only !== undefined) return only.decision;
  const allowed = decided.map(({ decision }) => decision).filter((decision) => decision.allowed);
  if (allowed.length === 0) {
    const taken = decided.find(({ decision }) => decision.by.length > 0);
    return (taken ?? decided[0])?.decision ?? { allowed: false, network: "", by: [] };
  }
  const ends = allowed.map(({ endsAtMs }) => endsAtMs);
  return {
    allowed: true,
    services: allowed.flatMap((decision) => decision.services),
    exact: allowed.some((decision) => decision.exact),
    terms: allowed.flatMap((decision) => decision.terms),
    endsAtMs: ends.includes(undefined) ? undefined : Math.max(...ends.map((end) => end ?? 0)),
    by: allowed.flatMap((decision) => decision.by),
  };
}
