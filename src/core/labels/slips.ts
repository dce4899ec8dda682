// Labels that do not exist, or have no effect in their place. Such a slip would silently guard nothing, or not what was
// meant, so we report it; it changes nothing else.

import { nearestOf } from "../model/did-you-mean.ts";
import {
  allowLabel,
  keysOn,
  type LabelKey,
  type LabelPlace,
  labelKeys,
  labelName,
  labelPrefix,
  placeOf,
  placesOf,
} from "./table.ts";

export interface Labelled {
  readonly kind: LabelPlace;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The most slips that we report for one network or container: images bring labels, too. */
const maxTold = 8;

const ourName = labelPrefix.slice(0, -1);

/** Stands before a label's own name, where `dockerwall.` has its dot. */
const separator = /[./:_-](?=[^./:_-]*$)/;

const known: ReadonlyMap<string, LabelKey> = new Map(labelKeys.map((key) => [labelName(key), key]));

/** Nearly all labels belong to other software, and every picture has them all: one quick look rules them out. */
const worthALook = new RegExp(`^\\s*${ourName}|(?:${labelKeys.join("|")})\\s*$`, "i");

/** One sentence for each label that was meant for us and has no effect. */
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
  const rest = `${object.kind} ${JSON.stringify(object.name)}: ${untold} more of its labels do not exist or have no effect`;
  return [...sentences, rest];
}

function problemOf(label: string, kind: LabelPlace, guarded: boolean): string | undefined {
  const key = known.get(label);
  if (key !== undefined) {
    if (!placesOf(key).includes(kind))
      return `it has no effect here, only on a ${namesOf(key)}; move it there`;
    if (guarded) return undefined;
    return `it has no effect without ${allowLabel}, and the network is not guarded; add ${allowLabel}`;
  }
  const meant = meantBy(label);
  return meant === undefined ? undefined : `there is no such label${adviceOn(meant, kind)}`;
}

/** The key that a label meant for us was probably meant to have; undefined for labels of other software. */
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
  const here = keysOn(kind);
  const found = nearestOf(meant, here) ?? nearestOf(meant, labelKeys);
  const key = labelKeys.find((each) => each === found);
  if (key === undefined) return `; a ${kind} may have ${here.map(labelName).join(", ")}`;
  const elsewhere = here.includes(key) ? "" : `, which has an effect on a ${namesOf(key)} only`;
  return `; did you mean ${labelName(key)}${elsewhere}?`;
}

function namesOf(key: LabelKey): string {
  return placesOf(key).join(" or a ");
}

/** The label as it is, if it is readable; otherwise with all invisible characters escaped. */
export function quoteLabel(label: string): string {
  const short = label.slice(0, 80);
  if (/^[\x21-\x7e]+$/.test(short)) return short;
  return JSON.stringify(short).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
