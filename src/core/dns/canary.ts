// The question by which capture is seen at work: a name that nobody can allow, asked as a container would ask it. Only
// our denial carries our words; whoever else answered would show that the question went past us.

import { tellsOfCircle } from "./circles.ts";
import { rcodes } from "./wire/codes.ts";
import { rcodeOf } from "./wire/upstream-query.ts";

/** As questions name it. */
export const canaryName = "dockerwall-canary.invalid";

/** For its address, class IN, with an OPT record so that the denial explains itself. */
export function canaryQuery(): Uint8Array {
  const labels = canaryName.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const header = [0x64, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1];
  const option = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...labels, 0, 0, 1, 0, 1, ...option]);
}

/** A question for the name servers of the root, which every resolver can answer. */
export function rootQuery(): Uint8Array {
  return Uint8Array.from([0x64, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);
}

/** True for NXDOMAIN with our Extended DNS Error, and for what a resolver is told that would be asked for itself. */
export function isOurDenial(answer: Uint8Array | undefined): boolean {
  if (answer === undefined) return false;
  if (rcodeOf(answer) === rcodes.servFail) return tellsOfCircle(answer);
  if (rcodeOf(answer) !== rcodes.nxDomain) return false;
  return Buffer.from(answer).includes("not in dockerwall.allow of ");
}

/**
 * Why an answer to the question for the root is none: undefined for one that is. Everybody has a root, and a resolver
 * that says otherwise was denied it, by us or by another; one that fails has nobody who answers it.
 */
export function rootProblem(answer: Uint8Array): string | undefined {
  switch (rcodeOf(answer)) {
    case rcodes.nxDomain:
      return "a resolver answers, but says that there is no root (NXDOMAIN): it was denied what it asked for; if it is a container on a guarded network, put it on one without dockerwall.allow";
    case rcodes.servFail:
      return "a resolver answers that it cannot look up the root (SERVFAIL): it reaches nobody itself";
    default:
      return undefined;
  }
}
