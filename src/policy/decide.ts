// The one place that decides what a network's allowlist says of a name or of a packet. Enforcement, and
// everything that explains enforcement, asks here.

import { type IpAddress, type Prefix, prefixContains } from "../model/address.ts";
import { type Service, serviceCovers } from "../model/service.ts";
import type { Entry } from "./entry.ts";

/** A compiled allowlist: look-ups cost one map probe a label, whatever its length. */
export interface Policy {
  /** Name of the network, for refusals. */
  readonly network: string;
  readonly exact: ReadonlyMap<string, readonly Service[]>;
  readonly subtree: ReadonlyMap<string, readonly Service[]>;
  readonly prefixes: readonly { readonly prefix: Prefix; readonly service: Service }[];
}

export type Decision =
  | {
      readonly allowed: true;
      /** What the addresses of the name may be reached for; never empty. */
      readonly services: readonly Service[];
      /** True when an entry names this very name, not only a wildcard above it. */
      readonly exact: boolean;
    }
  | { readonly allowed: false; readonly network: string };

/** Compiles the entries of one network. */
export function compilePolicy(network: string, entries: readonly Entry[]): Policy {
  const exact = new Map<string, Service[]>();
  const subtree = new Map<string, Service[]>();
  const prefixes: { prefix: Prefix; service: Service }[] = [];
  for (const entry of entries) {
    // The kernel decides about the host by itself: no name leads there, and no answer may.
    if (entry.kind === "host") continue;
    if (entry.kind === "prefix") {
      prefixes.push({ prefix: entry.prefix, service: entry.service });
      continue;
    }
    const table = entry.scope === "exact" ? exact : subtree;
    const services = table.get(entry.domain);
    if (services === undefined) table.set(entry.domain, [entry.service]);
    else services.push(entry.service);
  }
  return { network, exact, subtree, prefixes };
}

/**
 * Decides on a name. `name` is the presentation form made from the wire labels: lower case, no trailing dot,
 * odd bytes escaped, so that a label with a dot inside equals no entry.
 */
export function decideName(policy: Policy, name: string): Decision {
  const exact = policy.exact.get(name);
  const services = exact === undefined ? [] : [...exact];
  for (let rest = name; rest !== ""; rest = parentOf(rest)) {
    const found = policy.subtree.get(rest);
    if (found !== undefined) services.push(...found);
  }
  if (services.length === 0) return { allowed: false, network: policy.network };
  return { allowed: true, services, exact: exact !== undefined };
}

/** True when an address entry lets this packet pass without any lookup. */
export function decideAddress(
  policy: Policy,
  destination: IpAddress,
  ipProtocol: number,
  port: number | undefined,
): boolean {
  return policy.prefixes.some(
    ({ prefix, service }) => prefixContains(prefix, destination) && serviceCovers(service, ipProtocol, port),
  );
}

/** The name without its first label. A dot inside a label is escaped by a backslash and does not count. */
function parentOf(name: string): string {
  for (let index = 0; index < name.length; index++) {
    if (name[index] === "\\") index++;
    else if (name[index] === ".") return name.slice(index + 1);
  }
  return "";
}
