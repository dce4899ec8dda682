// Policies as tests write them: the text of a label.

import assert from "node:assert/strict";
import type { WallOptions } from "../../src/control/wall/options.ts";
import { nothingFound } from "../../src/core/classify/bridge-ports.ts";
import { type AddressFilter, isInside } from "../../src/core/dns/address-filter.ts";
import { addressBytes, type IpAddress, type Prefix, prefixContains } from "../../src/core/model/address.ts";
import type { Service } from "../../src/core/model/service.ts";
import { parseAllowlist } from "../../src/core/policy/allowlist.ts";
import { loadBuiltInPresets } from "../../src/core/policy/built-in-presets.ts";
import { termsAt } from "../../src/core/policy/decide/led-to.ts";
import type { Policy } from "../../src/core/policy/decide/policy.ts";
import type { Decision } from "../../src/core/policy/decide.ts";
import { digestOf } from "../../src/core/policy/digest.ts";
import type { Entry } from "../../src/core/policy/entry.ts";
import { compileList, type EntryList } from "../../src/core/policy/entry-list.ts";
import { createListStore } from "../../src/core/policy/list-store.ts";
import { noPolicyFile } from "../../src/core/policy/policy-file.ts";
import { describeEntry } from "../../src/core/policy/preset.ts";

export const presets = loadBuiltInPresets();

let lastId = 0;

/** The entries of a good label. */
export function entriesOf(text: string): readonly Entry[] {
  const result = parseAllowlist(text, presets);
  assert.ok(result.ok, JSON.stringify(result));
  return result.entries;
}

/** A list with an id of its own. */
export function listOf(text: string, endsAtMs?: number): EntryList {
  const entries = entriesOf(text);
  lastId += 1;
  return { id: lastId, source: "test", entries, digest: digestOf(entries.map(describeEntry)), endsAtMs };
}

/** The policy of one or several labels. */
export function policyOf(network: string, ...texts: readonly string[]): Policy {
  return { network, lists: texts.map((text) => compileList(listOf(text))) };
}

/** A filter that lets nothing inside but by these prefixes. */
export function filterOf(own: readonly Prefix[] = [], named: readonly Prefix[] = []): AddressFilter {
  const judge: AddressFilter["judge"] = (address, inside) =>
    !inside || named.some((prefix) => prefixContains(prefix, address)) ? "opened" : "refused";
  return { own, judge, isTaken: () => false };
}

/** What a name's decision leaves at an address. */
export function servicesAt(
  policy: Policy,
  decision: Decision,
  address: IpAddress,
  nowMs = 0,
): readonly Service[] {
  if (!decision.allowed) return [];
  const inside = isInside(addressBytes(address));
  return termsAt(policy, decision.terms, { address, inside }, nowMs).flatMap(({ services }) => services);
}

/** What a wall decides by when there are labels and nothing else. */
export function labelsOnly(): Pick<WallOptions, "policy"> {
  const policy = {
    store: createListStore(presets),
    file: () => noPolicyFile,
    overrides: { current: () => [] },
  };
  return { policy: () => policy };
}

/** The same on a host where nobody does anything to bridges, and no time goes by. */
export function quietHost(): Pick<
  WallOptions,
  "policy" | "lookAtBridges" | "forgetUnjudged" | "uptimeMs" | "networksReadAtMs"
> {
  return {
    ...labelsOnly(),
    forgetUnjudged: () => undefined,
    lookAtBridges: () => () => nothingFound,
    uptimeMs: () => 0,
    networksReadAtMs: () => 0,
  };
}
