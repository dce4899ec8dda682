// The labels that we read, one row each: reading, what a policy is known by, what is said of mistakes, and the README's
// table come from here. Whoever can set a label can already do worse with the engine; what stands in it is still
// checked as if a stranger had written it.

import { maxUpstreams, parseUpstream, upstreamForms } from "../dns/upstream-text.ts";
import { codeOfType } from "../dns/wire/type-text.ts";
import type { Upstream } from "../model/upstream.ts";
import { choice, list, type Parsed } from "./parse.ts";

/** What carries labels. */
export type LabelPlace = "network" | "container";

/** What the labels of a guarded network say, its allowlist aside: that is one of several (classify/gather.ts). */
export interface NetworkLabels {
  /** In `audit` everything passes and is recorded as it would have been judged. */
  readonly mode: "enforce" | "audit";
  /** With `reject` who is denied is told so at once. */
  readonly deny: "drop" | "reject";
  /** Undefined: those of the daemon. Empty: none, and every lookup fails. */
  readonly upstream: readonly Upstream[] | undefined;
  /** Codes of types that are served beyond the default ones. */
  readonly types: readonly number[];
}

/** What is known of every label. */
export interface Label {
  /** Where it counts. */
  readonly on: readonly LabelPlace[];
  /** What may be written, in the README's words. */
  readonly values: string;
  /** What it does, in the README's words. */
  readonly help: string;
  /** What a bad value means; completes a sentence. */
  readonly effect: string;
  /** True: with another value what was granted is judged again, and cut where it is not allowed any more. */
  readonly affectsGrants: boolean;
}

/** A label whose value decides by itself. */
export interface ValueLabel<Value> extends Label {
  readonly on: readonly ["network"];
  readonly parse: (text: string) => Parsed<Value>;
  /** Without the label. */
  readonly absent: Value;
  /** With a bad one: opens nothing. In quarantine, too, where it affects grants. */
  readonly strict: Value;
}

export const valueLabels: { readonly [Key in keyof NetworkLabels]: ValueLabel<NetworkLabels[Key]> } = {
  mode: {
    on: ["network"],
    values: "`enforce` (default) or `audit`",
    help: "`audit` lets everything pass and records it; `dockerwall suggest` makes a label of that",
    effect: "enforce is in force",
    affectsGrants: true,
    parse: choice("enforce", "audit"),
    absent: "enforce",
    strict: "enforce",
  },
  deny: {
    on: ["network"],
    values: "`drop` (default) or `reject`",
    help: "with `reject` a denied connection fails at once instead of running into its timeout",
    effect: "drop is in force",
    affectsGrants: false,
    parse: choice("drop", "reject"),
    absent: "drop",
    strict: "drop",
  },
  upstream: {
    on: ["network"],
    values: `resolvers, at most ${maxUpstreams}`,
    help: "these are asked for this network, instead of the daemon's",
    effect: "nothing is looked up outside until it is corrected",
    affectsGrants: false,
    parse: list(parseUpstream, {
      expected: upstreamForms,
      most: maxUpstreams,
      beyond: (count) => `it names ${count} resolvers; only the first ${maxUpstreams} are asked`,
    }),
    absent: undefined,
    strict: [],
  },
  types: {
    on: ["network"],
    values: "types of records",
    help: "these are served beside the default ones; `TXT` below wildcards, too",
    effect: "only the default types are served until it is corrected",
    affectsGrants: false,
    parse: list(codeOfType, {
      expected: "a type of records that can be asked for, like TXT or TYPE65280",
    }),
    absent: [],
    strict: [],
  },
};

/** Every label, by what follows `dockerwall.` in its name. */
export const labels: Readonly<Record<"allow" | keyof NetworkLabels, Label>> = {
  // Its lists are parsed where they are remembered, and are in every policy by their digests (policy/list-store.ts).
  allow: {
    on: ["network", "container"],
    values: "entries, or nothing",
    help: "on a network: guards it, and lists what may be reached; on a container: adds to that, for it only",
    effect: "what stood there before stays in force; where nothing did, nothing is allowed",
    affectsGrants: true,
  },
  ...valueLabels,
};

export type LabelKey = keyof typeof labels;

export const labelKeys = Object.keys(labels) as readonly LabelKey[];

export const labelPrefix = "dockerwall.";

/** The label as it is written. */
export function labelName(key: LabelKey): string {
  return `${labelPrefix}${key}`;
}

/** What makes a network guarded, also when it is empty. */
export const allowLabel = labelName("allow");

/** Where a label stands, as every sentence about one begins. */
export function placeOf({ kind, name }: { kind: LabelPlace; name: string }, label: string): string {
  return `${kind} ${JSON.stringify(name)}, label ${label}`;
}
