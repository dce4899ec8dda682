// What is left out of the entries that are suggested, and why.

import { isLookup, protocolNumbers, type Service } from "../../model/service.ts";
import { renderStep } from "../../path/sentence.ts";
import { parseEntry } from "../../policy/entry.ts";
import type { NeedsContext } from "../needs-context.ts";
import type { SeenConnection } from "../observed.ts";

/** What was seen and is not suggested. */
export interface LeftOut {
  readonly what: string;
  readonly why: string;
}

/** Why no entry can be suggested for a connection; undefined where one can. */
export function whyNotConnection(connection: SeenConnection, context: NeedsContext): string | undefined {
  const { destination, ipProtocol, port } = connection;
  const taken = context.takenBy({ address: destination });
  if (taken !== undefined) return `${taken} takes it away`;
  const known = ipProtocol === protocolNumbers.tcp || ipProtocol === protocolNumbers.udp;
  const isOfHost = context.isHost(destination);
  if (isOfHost && isLookup(ipProtocol, port)) return renderStep("lookup", "");
  if (isOfHost) return known ? undefined : "only TCP and UDP ports of the host can be allowed";
  return context.unfit(destination) ?? context.whyNever(connection);
}

/** Why no entry can be suggested for a name; undefined where one can. */
export function whyNotName(name: string, context: NeedsContext): string | undefined {
  const taken = context.takenBy({ name });
  if (taken !== undefined) return `${taken} takes it away`;
  if (/\.(?:in-addr|ip6)\.arpa$/.test(name)) return "a reverse lookup of an address that was not open";
  // A container may look up what it likes, also what would be another entry than a name.
  const parsed = parseEntry(name);
  if ("problem" in parsed) return parsed.problem;
  const { entry } = parsed;
  const plain = entry.kind === "domain" && entry.scope === "exact" && !entry.negated && entry.domain === name;
  return plain && !isNarrow(entry.service) ? undefined : "it is not the name of anything outside";
}

/** Not every port of every protocol. */
export function isNarrow({ protocol, ports }: Service): boolean {
  return protocol !== "any" || ports !== "any";
}

/** A connection in words. */
export function whatOf({ destination, names, ipProtocol, port }: SeenConnection): string {
  const service = port === undefined ? `protocol ${ipProtocol}` : `port ${port}`;
  return `${names.length === 0 ? destination : `${destination} (${names.join(", ")})`}, ${service}`;
}
