// The labels that we read, one row each, by what carries them: parsing, a policy's key, the messages about mistakes, what
// the CLI shows, and the README's table all come from here. A user who can set a label can already do worse with the engine;
// we still check its value as if a stranger had written it.

import { maxUpstreams, parseUpstream, renderUpstream, upstreamForms } from "../dns/upstream-text.ts";
import { codeOfType, nameOfType } from "../dns/wire/record-types.ts";
import type { Upstream } from "../model/upstream.ts";
import { choice, list, type Parser } from "./parse.ts";
import { type ContainerWarned, containerWords, type NetworkWarned, networkWords } from "./warned.ts";

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
  /** Warnings about it and its entries that are known and meant. */
  readonly accept: readonly NetworkWarned[];
}

/** What the labels of a container say, its allowlist aside. */
export interface ContainerLabels {
  /** Warnings about it and its entries that are known and meant. */
  readonly accept: readonly ContainerWarned[];
}

/** By what carries them. */
export interface LabelValues {
  readonly network: NetworkLabels;
  readonly container: ContainerLabels;
}

/** What we know about each label. */
export interface Label {
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
export interface ValueLabel<Value> extends Label, Parser<Value> {
  /** Without the label. */
  readonly absent: Value;
  /** With a bad value: opens nothing. Also used in quarantine, if the label affects grants. */
  readonly strict: Value;
}

export interface NetworkLabel<Value> extends ValueLabel<Value> {
  /** What `status` and `check` say of a network with this value; undefined for a value that goes without saying. */
  readonly shown: (value: Value) => string | undefined;
}

const networkLabels: { readonly [Key in keyof NetworkLabels]: NetworkLabel<NetworkLabels[Key]> } = {
  mode: {
    values: "`enforce` (default) or `audit`",
    help: "`audit` lets everything pass and records it; `dockerwall suggest` turns the record into a label",
    effect: "enforce is in force",
    affectsGrants: true,
    ...choice("enforce", "audit"),
    absent: "enforce",
    strict: "enforce",
    // It is a part of the network's state, and said with it.
    shown: () => undefined,
  },
  deny: {
    values: "`drop` (default) or `reject`",
    help: "`reject` makes a denied connection fail at once instead of timing out",
    effect: "drop is in force",
    affectsGrants: false,
    ...choice("drop", "reject"),
    absent: "drop",
    strict: "drop",
    shown: (deny) => (deny === "reject" ? "a denied connection fails at once" : undefined),
  },
  upstream: {
    values: `resolvers, at most ${maxUpstreams}`,
    help: "the resolvers to ask for this network, instead of the daemon's",
    effect: "no lookup leaves the host until you correct it",
    affectsGrants: false,
    ...list(parseUpstream, {
      expected: upstreamForms,
      example: "192.0.2.1",
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
    values: "record types",
    help: "the types to serve besides the default ones; `TXT` then also below wildcards",
    effect: "only the default types are served until you correct it",
    affectsGrants: false,
    ...list(codeOfType, {
      expected: "a record type that can be asked for, like TXT or TYPE65280",
      example: "TXT TYPE65280",
    }),
    absent: [],
    strict: [],
    shown: (types) => (types.length === 0 ? undefined : `also serves ${types.map(nameOfType).join(", ")}`),
  },
  accept: {
    values: inCode(networkWords),
    help: "hides these warnings of `status` and `doctor` about the network and its entries, because you know and accept them; it changes nothing else",
    effect: "the warnings stay",
    affectsGrants: false,
    ...list(wordOf(networkWords), {
      expected: `one of ${networkWords.join(", ")}`,
      example: "overlap audit",
      whyNot: (entry) => {
        if (wordOf(containerWords)(entry) === undefined) return undefined;
        const isOpening = entry === "foreign-interface";
        const what = isOpening
          ? "lets everything leave by such an interface of one container"
          : "is about a container";
        return `it ${what}; write it on that container`;
      },
    }),
    absent: [],
    strict: [],
    shown: (accept) => (accept.length === 0 ? undefined : `accepts the warnings ${accept.join(", ")}`),
  },
};

const containerLabels: { readonly [Key in keyof ContainerLabels]: ValueLabel<ContainerLabels[Key]> } = {
  accept: {
    values: inCode(containerWords),
    help: "hides these warnings of `status` and `doctor` about the container and its entries, because you know and accept them; it changes nothing else, but that `foreign-interface` lets everything leave by such an interface",
    effect: "the warnings stay",
    affectsGrants: false,
    ...list(wordOf(containerWords), {
      expected: `one of ${containerWords.join(", ")}`,
      example: "docker-socket second-network",
      whyNot: (entry) =>
        wordOf(networkWords)(entry) === undefined
          ? undefined
          : "it is about a network; write it on that network",
    }),
    absent: [],
    strict: [],
  },
};

export const valueLabels = { network: networkLabels, container: containerLabels } as const;

export const networkLabelKeys = Object.keys(networkLabels) as readonly (keyof NetworkLabels)[];

/** Its lists are parsed where they are stored; each policy contains their digests (policy/list-store.ts). */
const allow: Label = {
  values: "entries, or nothing",
  help: "on a network: guards it, and lists what its containers may reach; on a container: adds to that list, for this container only",
  effect:
    "nothing is allowed, unless this very network or container had a good list before, which then stays in force",
  affectsGrants: true,
};

export type LabelKey = "allow" | keyof NetworkLabels | keyof ContainerLabels;

/** Every label, by what follows `dockerwall.` in its name, where it has an effect. */
export const labels: { readonly [Place in LabelPlace]: Readonly<Partial<Record<LabelKey, Label>>> } = {
  network: { allow, ...networkLabels },
  container: { allow, ...containerLabels },
};

export const labelPlaces = Object.keys(labels) as readonly LabelPlace[];

export const labelKeys = [...new Set(labelPlaces.flatMap(keysOn))] as const;

/** The labels that have an effect there. */
export function keysOn(place: LabelPlace): readonly LabelKey[] {
  return Object.keys(labels[place]) as readonly LabelKey[];
}

/** Where a label has an effect. */
export function placesOf(key: LabelKey): readonly LabelPlace[] {
  return labelPlaces.filter((place) => key in labels[place]);
}

function inCode(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(", ");
}

function wordOf<Word extends string>(words: readonly Word[]): (entry: string) => Word | undefined {
  return (entry) => words.find((word) => word === entry);
}

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
