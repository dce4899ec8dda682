// Requests that two servers may read differently, or that leave HTTP/1, by what they are refused for.

import type { HttpRefusal } from "../../../src/core/name-check/refusals.ts";
import { connection } from "./attacks/connection.ts";
import { fields } from "./attacks/fields.ts";
import { start } from "./attacks/first-lines.ts";
import { framing } from "./attacks/framing.ts";
import type { Attacks } from "./attacks/make.ts";

/** Their names, and their bytes as one character each. */
export const attacks: Readonly<Record<HttpRefusal, Attacks>> = {
  ...start,
  ...fields,
  ...framing,
  ...connection,
};
