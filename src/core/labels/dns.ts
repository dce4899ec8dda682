// What a network's labels say about its lookups: whom to ask, and which types to serve beyond the default ones.

import { maxUpstreams, parseUpstream, upstreamForms } from "../dns/upstream-text.ts";
import { codeOfType } from "../dns/wire/type-text.ts";
import type { NetworkDns } from "../model/guarded-network.ts";
import type { Network } from "../model/topology.ts";
import type { Upstream } from "../model/upstream.ts";
import { renderProblem } from "../policy/allowlist.ts";
import { typesLabel, upstreamLabel } from "./table.ts";

export interface DnsLabels {
  readonly dns: NetworkDns;
  /** One sentence each. */
  readonly problems: readonly string[];
}

/** Reads both labels. A bad one opens nothing: without its resolvers nothing is looked up, and no type is added. */
export function readDnsLabels(network: Network): DnsLabels {
  const problems: string[] = [];
  const upstreams = readLabel(network, upstreamLabel, {
    parse: parseUpstream,
    expected: upstreamForms,
    effect: "nothing is looked up outside until it is corrected",
    problems,
  });
  const types = readLabel(network, typesLabel, {
    parse: codeOfType,
    expected: "a type of records that can be asked for, like TXT or TYPE65280",
    effect: "only the default types are served until it is corrected",
    problems,
  });
  if (upstreams !== undefined && upstreams.length > maxUpstreams) {
    const place = `network ${JSON.stringify(network.name)}, label ${upstreamLabel}`;
    problems.push(
      `${place}: it names ${upstreams.length} resolvers; only the first ${maxUpstreams} are asked`,
    );
  }
  return { dns: { upstreams: upstreams?.slice(0, maxUpstreams), types: types ?? [] }, problems };
}

interface Reading<Value> {
  readonly parse: (text: string) => Value | undefined;
  readonly expected: string;
  readonly effect: string;
  /** Where sentences are added. */
  readonly problems: string[];
}

/** Undefined without the label; empty with a bad entry in it. */
function readLabel<Value extends Upstream | number>(
  network: Network,
  label: string,
  { parse, expected, effect, problems }: Reading<Value>,
): readonly Value[] | undefined {
  const text = network.labels[label];
  if (text === undefined) return undefined;
  const values: Value[] = [];
  const before = problems.length;
  const place = `network ${JSON.stringify(network.name)}, label ${label}`;
  for (const { 0: entry, index } of text.matchAll(/[^\s,]+/g)) {
    const value = parse(entry);
    if (value !== undefined) values.push(value);
    else {
      const problem = { entry: entry.slice(0, 80), column: index + 1, problem: `it is not ${expected}` };
      problems.push(`${renderProblem(place, problem)}; ${effect}`);
    }
  }
  if (values.length === 0 && problems.length === before) problems.push(`${place}: it is empty; ${effect}`);
  return problems.length === before ? values : [];
}
