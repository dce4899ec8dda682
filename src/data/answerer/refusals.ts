// Answers that say why there is none: SERVFAIL, with the reason as an extended error (RFC 8914).

import { type ExtendedError, extendedErrors, rcodes } from "../../core/dns/wire/codes.ts";
import { payloadLimit, type Transport } from "../../core/dns/wire/message.ts";
import { type Head, parseQuery } from "../../core/dns/wire/question.ts";
import { respondError } from "../../core/dns/wire/respond.ts";

/** What is not known: who asks, whether its own label decides otherwise, or whether a new container is called so. */
export type Unknown = "stranger" | "asker" | "name";
/** Why there is no answer: something is not known, or went wrong on our side. */
export type Reason = Unknown | "failure";

const reasons: Readonly<Record<Reason, ExtendedError>> = {
  stranger: { code: extendedErrors.other, text: "dockerwall does not know this container" },
  asker: {
    code: extendedErrors.notReady,
    text: "the engine has not yet said which container this is, and its own label may decide otherwise",
  },
  name: {
    code: extendedErrors.notReady,
    text: "the engine has not yet said whether a container that has just come is called so",
  },
  failure: { code: extendedErrors.other, text: "the lookup failed" },
};

/** The answer says why; the client may ask again. */
export function refuseQuery(head: Head, transport: Transport, reason: Reason): Uint8Array {
  const limit = payloadLimit(head.edns, transport);
  return respondError({ head, limit, rcode: rcodes.servFail, extendedError: reasons[reason] });
}

/** The same for a message as it came; undefined is silence. */
export function refuseMessage(
  message: Uint8Array,
  transport: Transport,
  reason: Reason,
): Uint8Array | undefined {
  const head = parseQuery(message);
  return head.kind === "ignore" ? undefined : refuseQuery(head, transport, reason);
}
