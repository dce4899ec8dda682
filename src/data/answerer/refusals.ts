// Answers that say why there is none: SERVFAIL, with the reason as an extended error (RFC 8914).

import { type ExtendedError, extendedErrors, rcodes } from "../../core/dns/wire/codes.ts";
import { payloadLimit, type Transport } from "../../core/dns/wire/message.ts";
import { parseQuery, type Query } from "../../core/dns/wire/question.ts";
import { respondError } from "../../core/dns/wire/respond.ts";

const stranger: ExtendedError = {
  code: extendedErrors.other,
  text: "dockerwall does not know this container",
};
const undecided: ExtendedError = {
  code: extendedErrors.notReady,
  text: "the engine has not yet said which container this is, and its own label may decide otherwise",
};

const unread: ExtendedError = {
  code: extendedErrors.notReady,
  text: "the engine has not yet said whether a container that has just come is called so",
};

/** Nothing can be said to whoever sent this message; undefined is silence. */
export function refuseStranger(message: Uint8Array, transport: Transport): Uint8Array | undefined {
  const head = parseQuery(message);
  if (head.kind === "ignore") return undefined;
  const limit = payloadLimit(head.edns, transport);
  return respondError({ head, limit, rcode: rcodes.servFail, extendedError: stranger });
}

/** Who waits no longer is told what it waited for, and may ask again. */
export function refuseWaiting(head: Query, transport: Transport, forWhat: "asker" | "name"): Uint8Array {
  const limit = payloadLimit(head.edns, transport);
  const extendedError = forWhat === "asker" ? undecided : unread;
  return respondError({ head, limit, rcode: rcodes.servFail, extendedError });
}
