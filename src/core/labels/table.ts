// The labels that we read, one row each: parsing, a policy's key, the messages about mistakes, what the CLI shows, and the
// README's table all come from here. A user who can set a label can already do worse with the engine; we still check its value as if
// a stranger had written it.

import { maxUpstreams, parseUpstream, renderUpstream, upstreamForms } from "../dns/upstream-text.ts";
import { codeOfType, nameOfType } from "../dns/wire/record-types.ts";
import type { Upstream } from "../model/upstream.ts";
import { choice, list, type Parsed } from "./parse.ts";
import { warnedWords } from "./warned.ts";

/** What carries labels. */
export type LabelPlace = "network" | "container";

/** What the labels of a guarded network say, its allowlist aside: that is one of several (classify/gather.ts). */
export interface NetworkLabels {
  /** In `audit` everything passes and is recorded as it would have been judged. */
  readonly mode: "enforce" | "audit";
  /** With `reject` a denied connection fails at once. */
  readonly deny: "drop" | "reject";
  /** Undefined: those of the daemon. Empty: none, and every lookup fails. */
  readonly upstream: readonly Upstream[] | undefined;
  /** Codes of types that are served beyond the default ones. */
  readonly types: readonly number[];
}

/** What we know about each label. */
export interface Label {
  /** Where it has an effect. */
  readonly on: readonly LabelPlace[];
  /** What may be written, in the README's words. */
  readonly values: string;
  /** What it does, in the README's words. */
  readonly help: string;
  /** What a bad value means; completes a sentence. */
  readonly effect: string;
  /** True: a new value has existing grants judged again; those no longer allowed are cut. */
  readonly affectsGrants: boolean;
}

/** A label whose value decides by itself. */
export interface ValueLabel<Value> extends Label {
  readonly on: readonly ["network"];
  readonly parse: (text: string) => Parsed<Value>;
  /** Without the label. */
  readonly absent: Value;
  /** With a bad value: opens nothing. Also used in quarantine, if the label affects grants. */
  readonly strict: Value;
  /** What `status` and `check` say of a network with this value; undefined for a value that goes without saying. */
  readonly shown: (value: Value) => string | undefined;
}

export const valueLabels: { readonly [Key in keyof NetworkLabels]: ValueLabel<NetworkLabels[Key]> } = {
  mode: {
    on: ["network"],
    values: "`enforce` (default) or `audit`",
    help: "`audit` lets everything pass and records it; `dockerwall suggest` turns the record into a label",
    effect: "enforce is in force",
    affectsGrants: true,
    parse: choice("enforce", "audit"),
    absent: "enforce",
    strict: "enforce",
    // It is a part of the network's state, and said with it.
    shown: () => undefined,
  },
  deny: {
    on: ["network"],
    values: "`drop` (default) or `reject`",
    help: "`reject` makes a denied connection fail at once instead of timing out",
    effect: "drop is in force",
    affectsGrants: false,
    parse: choice("drop", "reject"),
    absent: "drop",
    strict: "drop",
    shown: (deny) => (deny === "reject" ? "a denied connection fails at once" : undefined),
  },
  upstream: {
    on: ["network"],
    values: `resolvers, at most ${maxUpstreams}`,
    help: "the resolvers to ask for this network, instead of the daemon's",
    effect: "no lookup leaves the host until you correct it",
    affectsGrants: false,
    parse: list(parseUpstream, {
      expected: upstreamForms,
      most: maxUpstreams,
      beyond: (count) => `it names ${count} resolvers; only the first ${maxUpstreams} are asked`,
    }),
    absent: undefined,
    strict: [],
    shown: (upstream) => {
      if (upstream === undefined) return undefined;
      return upstream.length === 0
        ? "no resolver is asked"
        : `asks ${upstream.map(renderUpstream).join(", ")}`;
    },
  },
  types: {
    on: ["network"],
    values: "record types",
    help: "the types to serve besides the default ones; `TXT` then also below wildcards",
    effect: "only the default types are served until you correct it",
    affectsGrants: false,
    parse: list(codeOfType, {
      expected: "a record type that can be asked for, like TXT or TYPE65280",
    }),
    absent: [],
    strict: [],
    shown: (types) => (types.length === 0 ? undefined : `also serves ${types.map(nameOfType).join(", ")}`),
  },
};

/** Every label, by what follows `dockerwall.` in its name. */
export const labels: Readonly<Record<"allow" | "accept" | keyof NetworkLabels, Label>> = {
  // Its lists are parsed where they are stored; each policy contains their digests (policy/list-store.ts).
  allow: {
    on: ["network", "container"],
    values: "entries, or nothing",
    help: "on a network: guards it, and lists what its containers may reach; on a container: adds to that list, for this container only",
    effect:
      "nothing is allowed, unless this very network or container had a good list before, which then stays in force",
    affectsGrants: true,
  },
  ...valueLabels,
  // Read with each container (labels/accept.ts).
  accept: {
    on: ["container"],
    values: warnedWords.map((word) => `\`${word}\``).join(", "),
    help: "hides these warnings of `status` and `doctor` about the container, because you know and accept them; it changes nothing else, but that `foreign-interface` lets everything leave by such an interface",
    effect: "the warnings stay",
    affectsGrants: false,
  },
};

export const valueLabelKeys = Object.keys(valueLabels) as readonly (keyof NetworkLabels)[];

export type LabelKey = keyof typeof labels;

export const labelKeys = Object.keys(labels) as readonly LabelKey[];

export const labelPrefix = "dockerwall.";

/** The label as it is written. */
export function labelName(key: LabelKey): string {
  return `${labelPrefix}${key}`;
}

/** The label that makes a network guarded, even when it is empty. */
export const allowLabel = labelName("allow");

/** The place of a label, with which every sentence about it begins. */
export function placeOf({ kind, name }: { kind: LabelPlace; name: string }, label: string): string {
  return `${kind} ${JSON.stringify(name)}, label ${label}`;
}
