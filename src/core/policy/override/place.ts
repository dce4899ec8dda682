// Where an override stands, in words like those for labels and files, and the command that made it: a reader who is told
// of it can type that, or take it back.

import type { OverrideTarget } from "../override.ts";

/** An override as its place has it. */
export interface PlacedOverride {
  readonly target: OverrideTarget;
  /** `!` in front of what `deny` takes away. */
  readonly entry: string;
}

/** What the places of a target's overrides begin with. */
export function placeOfOverrides({ kind, name }: OverrideTarget): string {
  return `${kind} ${JSON.stringify(name)}, command `;
}

export function placeOfOverride({ target, entry }: PlacedOverride): string {
  return placeOfOverrides(target) + entry;
}

/** The override of such a place, also of a list that is kept; undefined for any other place. */
export function overrideAt(place: string): PlacedOverride | undefined {
  const [, kind, name, entry] =
    /^(network|container) ("(?:[^"\\]|\\.)*"), command ([^\s,]+)(?:, .*)?$/.exec(place) ?? [];
  if ((kind !== "network" && kind !== "container") || name === undefined || entry === undefined)
    return undefined;
  return { target: { kind, name: JSON.parse(name) as string }, entry };
}

/** The command line that makes it; with `--undo` behind it takes it back. */
export function renderCommand({ target: { kind, name }, entry }: PlacedOverride): string {
  const [verb, subject] = entry.startsWith("!") ? ["deny", entry.slice(1)] : ["allow", entry];
  return `docker exec dockerwall ${verb} ${shellWord(`${kind}:${name}`)} ${shellWord(subject)}`;
}

/** How to take an entry out of where it stands. */
export function renderRemoval(entry: string, place: string): string {
  const override = overrideAt(place);
  return override === undefined ? `take ${entry} out of ${place}` : `${renderCommand(override)} --undo`;
}

/** As a shell takes it for one word, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
