// Why a name was denied, in the words that the client gets (Extended DNS Error 15): those of `explain`, in short.

import type { Denial } from "../../policy/decide.ts";
import { overrideAt } from "../../policy/override/place.ts";
import { type ExtendedError, extendedErrors } from "../wire/codes.ts";

/** @param remedy what to do about it, where that does not follow from the reason */
export function blockedBy(denial: Denial, remedy?: string): ExtendedError {
  const reason = reasonOf(denial);
  return { code: extendedErrors.blocked, text: remedy === undefined ? reason : `${reason}; ${remedy}` };
}

function reasonOf({ network, by: [taking], because, unread }: Denial): string {
  if (because === "quarantine") return "the container is in quarantine";
  if (because === "unreadable")
    return `${unread === undefined ? `a list of ${network}` : listAt(unread, network)} cannot be read, so nothing is allowed`;
  if (taking !== undefined)
    return overrideAt(taking.source) === undefined
      ? `a ! entry of ${ownerOf(taking.source, network)} takes it away`
      : "denied by command";
  if (unread !== undefined)
    return `${listAt(unread, network)} cannot be read, and no entry in force allows the name`;
  return `not in dockerwall.allow of ${network}`;
}

function ownerOf(source: string, network: string): string {
  const owner = source.startsWith("container ") ? "the container" : network;
  return source.endsWith(", policy file") ? `${owner} in the policy file` : owner;
}

/** A list by its place. */
function listAt(source: string, network: string): string {
  if (source === "policy file") return "the policy file";
  if (overrideAt(source) !== undefined) return `an override of ${ownerOf(source, network)}`;
  const what = source.endsWith(", policy file") ? "the list" : "dockerwall.allow";
  return `${what} of ${ownerOf(source, network)}`;
}
