// Labels that do not exist, or count for nothing where they stand. A slip there guards nothing, or not as was meant,
// without a word; so it is told, and changes nothing else.

import { nearestOf } from "../model/did-you-mean.ts";
import {
  allowLabel,
  type LabelKey,
  type LabelPlace,
  labelKeys,
  labelName,
  labelPrefix,
  labels,
  placeOf,
} from "./table.ts";

export interface Labelled {
  readonly kind: LabelPlace;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Most that are told of one network or container: an image brings labels, too. */
const maxTold = 8;

const ourName = labelPrefix.slice(0, -1);

/** Stands before a label's own name, where `dockerwall.` has its dot. */
const separator = /[./:_-](?=[^./:_-]*$)/;

const known: ReadonlyMap<string, LabelKey> = new Map(labelKeys.map((key) => [labelName(key), key]));

/** Others' labels are nearly all that there are, and every picture has them all: one look tells that they are others'. */
const worthALook = new RegExp(`^\\s*${ourName}|(?:${labelKeys.join("|")})\\s*$`, "i");

/** One sentence for each label that somebody meant for us and that has no effect. */
export function findSlips(object: Labelled): string[] {
  const guarded = object.kind !== "network" || allowLabel in object.labels;
  const sentences: string[] = [];
  let untold = 0;
  for (const label of Object.keys(object.labels)) {
    const problem = problemOf(label, object.kind, guarded);
    if (problem === undefined) continue;
    if (sentences.length === maxTold) untold += 1;
    else sentences.push(`${placeOf(object, quoteLabel(label))}: ${problem}`);
  }
  if (untold === 0) return sentences;
  const rest = `${object.kind} ${JSON.stringify(object.name)}: ${untold} more of its labels do not exist or count for nothing`;
  return [...sentences, rest];
}

function problemOf(label: string, kind: LabelPlace, guarded: boolean): string | undefined {
  const key = known.get(label);
  if (key !== undefined) {
    if (!labels[key].on.includes(kind)) return `it counts on a ${placesOf(key)} only; move it there`;
    if (guarded) return undefined;
    return `it counts for nothing without ${allowLabel}, and the network is not guarded; add ${allowLabel}`;
  }
  const meant = meantBy(label);
  return meant === undefined ? undefined : `there is no such label${adviceOn(meant, kind)}`;
}

/** What was meant as a label's own name, for a label that was meant for us; undefined for those of others. */
function meantBy(label: string): string | undefined {
  if (!worthALook.test(label)) return undefined;
  const text = label.trim().toLowerCase();
  if (text === ourName) return "";
  if (text.startsWith(labelPrefix)) return text.slice(labelPrefix.length);
  const [head = "", ownName = ""] = text.split(separator);
  const isOurs = labelKeys.some((key) => key === ownName) && nearestOf(head, [ourName]) !== undefined;
  return isOurs ? ownName : undefined;
}

function adviceOn(meant: string, kind: LabelPlace): string {
  const here = labelKeys.filter((key) => labels[key].on.includes(kind));
  const found = nearestOf(meant, here) ?? nearestOf(meant, labelKeys);
  const key = labelKeys.find((each) => each === found);
  if (key === undefined) return `; a ${kind} may have ${here.map(labelName).join(", ")}`;
  const elsewhere = here.includes(key) ? "" : `, which counts on a ${placesOf(key)} only`;
  return `; did you mean ${labelName(key)}${elsewhere}?`;
}

function placesOf(key: LabelKey): string {
  return labels[key].on.join(" or a ");
}

/** As it is where that can be read, otherwise with everything escaped that cannot be seen. */
export function quoteLabel(label: string): string {
  const short = label.slice(0, 80);
  if (/^[\x21-\x7e]+$/.test(short)) return short;
  return JSON.stringify(short).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
