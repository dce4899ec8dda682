// Sets as text, in ipset's words: for tools that create them where no daemon runs.

import type { SetSpec } from "./sets.ts";

/** A set's name, type and options, as after `create`. */
export function renderSet({ name, type, family, ...spec }: SetSpec): string {
  if (type === "list:set") return `${name} ${type} size ${spec.maxEntries}`;
  return [
    `${name} ${type} family ${family === 6 ? "inet6" : "inet"}`,
    ...(spec.hashSize === undefined ? [] : [`hashsize ${spec.hashSize}`]),
    `maxelem ${spec.maxEntries}`,
    ...(spec.timeoutSeconds === undefined ? [] : [`timeout ${spec.timeoutSeconds}`]),
    ...(spec.counters ? ["counters"] : []),
    ...(spec.comments ? ["comment"] : []),
  ].join(" ");
}
