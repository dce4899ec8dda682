// Labels that do not exist, or have no effect in their place. Such a slip would silently guard nothing, or not what was
// meant, so we report it; it changes nothing else.

import { editDistance, editDistances } from "../model/did-you-mean.ts";
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

/** The most slips in each half of a label, and in both together: with more, it is another's. */
const mostSlips = { half: 2, both: 3 } as const;

/**
 * Nearly all labels belong to other software, and every picture has them all: one quick look rules them out. Two slips
 * leave a part of our name whole, and move it by two places at most; where they swap two letters of different parts,
 * other parts are whole.
 */
const worthALook = /^(?:.{0,2}doc|.{1,5}kerw|.{5,9}all|.okce|.{2,4}kera)/;

/** Our very name, as it is or behind another's. */
const named = new RegExp(`^${ourName}|(?<=[^a-z0-9])${ourName}(?=[^a-z0-9])`);

/** What stands where `dockerwall.` has its dot. */
const separators = /^[^a-z0-9]+/;

const known: ReadonlyMap<string, LabelKey> = new Map(labelKeys.map((key) => [labelName(key), key]));

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

/** One sentence for a label that was meant to be the allowlist and is called otherwise; undefined without one. */
export function misnamedAllow(object: Labelled): string | undefined {
  for (const label of Object.keys(object.labels)) {
    const meant = known.has(label) ? undefined : meantBy(label);
    if (meant === undefined || nearestKey(meant, keysOn(object.kind)) !== "allow") continue;
    return `${placeOf(object, quoteLabel(label))}: there is no such label${adviceOn(meant, object.kind)}`;
  }
  return undefined;
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

/**
 * What a label that was meant for us says behind our name, with whatever slips; undefined for one of other software.
 */
export function meantBy(label: string): string | undefined {
  const whole = label.trim().toLowerCase();
  if (whole === ourName) return "";
  const at = whole.search(named);
  const text = at > 0 ? whole.slice(at) : whole;
  if (!worthALook.test(text)) return undefined;
  const rest = text.slice(ourName.length);
  if (at === 0 && separators.test(rest)) return rest.replace(separators, "");
  return ownNameIn(text);
}

/** The best way to read a text as our name and one of our labels, each with its slips. */
function ownNameIn(text: string): string | undefined {
  let best: string | undefined;
  let fewest = mostSlips.both + 1;
  const ends = editDistances(ourName, text.slice(0, ourName.length + mostSlips.half));
  for (const [end, inOurs] of ends.entries()) {
    if (inOurs > mostSlips.half) continue;
    const rest = text.slice(end);
    const ownName = rest.replace(separators, "");
    const inOwn = Math.min(...labelKeys.map((key) => slipsIn(ownName, key)));
    const slips = inOurs + inOwn + (ownName === rest ? 1 : 0);
    if (slips < fewest) [best, fewest] = [ownName, slips];
  }
  return best;
}

function slipsIn(ownName: string, key: LabelKey): number {
  const far = Math.abs(ownName.length - key.length) > mostSlips.half;
  const slips = far ? Number.POSITIVE_INFINITY : editDistance(ownName, key);
  return slips > mostSlips.half ? Number.POSITIVE_INFINITY : slips;
}

function adviceOn(meant: string, kind: LabelPlace): string {
  const here = keysOn(kind);
  const key = nearestKey(meant, here) ?? nearestKey(meant, labelKeys);
  if (key === undefined) return `; a ${kind} may have ${here.map(labelName).join(", ")}`;
  const elsewhere = here.includes(key) ? "" : `, which has an effect on a ${namesOf(key)} only`;
  return `; did you mean ${labelName(key)}${elsewhere}?`;
}

/** The label whose own name has the fewest slips. */
export function nearestKey(ownName: string, keys: readonly LabelKey[]): LabelKey | undefined {
  // Two of three letters can become anything.
  const most = ownName.length < 4 ? 1 : mostSlips.half;
  const slips = keys.map((key) => slipsIn(ownName, key));
  const fewest = Math.min(...slips);
  return fewest > most ? undefined : keys[slips.indexOf(fewest)];
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
