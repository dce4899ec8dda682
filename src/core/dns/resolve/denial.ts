// Why a name was denied, in the words that the client gets (Extended DNS Error 15): those of `explain`, in short.

import type { Denial } from "../../policy/decide.ts";
import { overrideAt } from "../../policy/override/place.ts";
import { type ExtendedError, extendedErrors } from "../wire/codes.ts";

/** @param remedy what to do about it, where that does not follow from the reason */
export function blockedBy(denial: Denial, remedy?: string): ExtendedError {
  const reason = reasonOf(denial);
  return { code: extendedErrors.blocked, text: remedy === undefined ? reason : `${reason}; ${remedy}` };
}

function reasonOf({ network, by: [taking], because }: Denial): string {
  if (because === "quarantine") return "the container is in quarantine";
  if (because === "unreadable") return `a list of ${network} cannot be read, so nothing is allowed`;
  if (taking === undefined) return `not in dockerwall.allow of ${network}`;
  if (overrideAt(taking.source) !== undefined) return "denied by command";
  const owner = taking.source.startsWith("container ") ? "the container" : network;
  const list = taking.source.endsWith(", policy file") ? `${owner} in the policy file` : owner;
  return `a ! entry of ${list} takes it away`;
}
