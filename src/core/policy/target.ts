// The target of `explain`: a name or an address, with a port and a protocol where they matter.

import { type IpAddress, parseAddress } from "../model/address.ts";
import { isSingle, parseEntry } from "./entry.ts";

export interface ExplainTarget {
  /** Lower case, A-labels; undefined for an address. */
  readonly name: string | undefined;
  readonly address: IpAddress | undefined;
  /** Undefined: any port will do. */
  readonly port: number | undefined;
  /** IP protocol number. */
  readonly ipProtocol: number;
  /** True where neither a port nor a protocol is written: a port of either will do. */
  readonly eitherProtocol?: true;
}

const protocols = { any: 6, tcp: 6, udp: 17, other: 0 } as const;

/** `NAME|ADDRESS[:PORT][/tcp|/udp]`; the default protocol of a port is TCP. */
export function parseTarget(text: string): ExplainTarget | { readonly problem: string } {
  const refused = {
    problem: `${JSON.stringify(text)}: write one name or address, as in api.example.com:443`,
  };
  if (text === "") return refused;
  const single = parseSingleLabel(text);
  if (single !== undefined) return single;
  const result = parseEntry(text);
  if ("problem" in result) return { problem: `${JSON.stringify(text)}: ${result.problem}` };
  const { entry } = result;
  if (entry.negated || entry.kind === "preset" || entry.kind === "host") return refused;
  const { ports, protocol } = entry.service;
  if (ports !== "any" && ports.from !== ports.to) return refused;
  const at = {
    ...{ port: ports === "any" ? undefined : ports.from, ipProtocol: protocols[protocol] },
    ...(ports === "any" && protocol === "any" ? { eitherProtocol: true as const } : {}),
  };
  if (entry.kind === "domain") {
    return entry.scope === "exact" && entry.within === undefined
      ? { name: entry.domain, address: undefined, ...at }
      : refused;
  }
  const address = parseAddress(entry.prefix.address);
  if (address === undefined || !isSingle(entry.prefix)) return refused;
  return { name: undefined, address, ...at };
}

/**
 * A container, a service or an alias: Docker's own names mostly have one label, and no entry can name them. `host` is not
 * one, as it means the Docker host wherever entries are written.
 */
function parseSingleLabel(text: string): ExplainTarget | undefined {
  const [, label = "", suffix = ""] =
    /^([a-z0-9_][a-z0-9_-]{0,62})((?::.*)?(?:\/[a-z]+)?)$/i.exec(text) ?? [];
  const name = label.toLowerCase();
  if (name === "" || name === "host") return undefined;
  // An entry of more labels is parsed in its place, for the port and the protocol.
  const target = parseTarget(`${name}.invalid${suffix}`);
  return "problem" in target ? undefined : { ...target, name };
}
