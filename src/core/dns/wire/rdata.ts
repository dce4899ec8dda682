// Rdata in parts: names that may be compressed are read in full, as they would break at another offset, and data that
// would lead a client past its permission is removed from HTTPS and SVCB records.

import { type Name, readName } from "./name.ts";
import { type Field, recordType } from "./record-types.ts";
import { readWord } from "./words.ts";

export type Rdata = readonly (Uint8Array | Name)[];

/**
 * Reads the rdata of a record in a message; undefined when it is malformed. Types that we do not know are
 * one part, as they are (RFC 3597 4: their names are never compressed).
 */
export function readRdata(
  message: Uint8Array,
  type: number,
  start: number,
  length: number,
): Rdata | undefined {
  const end = start + length;
  if (end > message.length) return undefined;
  const fields = recordType(type)?.rdata;
  if (fields === undefined) return [message.subarray(start, end)];
  return fields === "service binding"
    ? readServiceBinding(message.subarray(start, end))
    : readFields(message, fields, start, end);
}

function readFields(
  message: Uint8Array,
  fields: readonly Field[],
  start: number,
  end: number,
): Rdata | undefined {
  const parts: (Uint8Array | Name)[] = [];
  let offset = start;
  for (const field of fields) {
    if (field === "name") {
      const read = readName(message, offset, "allowed");
      if (read === undefined) return undefined;
      parts.push(read.name);
      offset = read.end;
    } else {
      const next = offset + (field === "text" ? 1 + (message[offset] ?? 0) : field);
      parts.push(message.subarray(offset, next));
      offset = next;
    }
    if (offset > end) return undefined;
  }
  return offset === end ? parts : undefined;
}

/**
 * SvcParams that do not reach the client (RFC 9460, RFC 9849). Hints are addresses that no grant stands
 * behind; the client asks for A and AAAA as well. `ech` would hide the name that a connection is for.
 */
const strippedParams: ReadonlySet<number> = new Set([4, 5, 6]);
const mandatoryParam = 0;

function readServiceBinding(rdata: Uint8Array): Rdata | undefined {
  if (rdata.length < 3) return undefined;
  const target = readName(rdata, 2, "refused");
  if (target === undefined) return undefined;
  const parts: (Uint8Array | Name)[] = [rdata.subarray(0, 2), target.name];
  let offset = target.end;
  let lastKey = -1;
  while (offset < rdata.length) {
    const key = readWord(rdata, offset);
    const end = offset + 4 + readWord(rdata, offset + 2);
    // Keys stand in rising order; a reader that takes the last of two would see what we did not judge.
    if (offset + 4 > rdata.length || end > rdata.length || key <= lastKey) return undefined;
    const param = rdata.subarray(offset, end);
    if (key === mandatoryParam) parts.push(...withoutStripped(param));
    else if (!strippedParams.has(key)) parts.push(param);
    lastKey = key;
    offset = end;
  }
  return parts;
}

/** A `mandatory` list that names a stripped key would make the client drop the record. */
function withoutStripped(param: Uint8Array): readonly Uint8Array[] {
  const kept: number[] = [];
  for (let offset = 4; offset + 2 <= param.length; offset += 2) {
    if (!strippedParams.has(readWord(param, offset))) kept.push(param[offset] ?? 0, param[offset + 1] ?? 0);
  }
  return kept.length === 0
    ? []
    : [Uint8Array.of(0, mandatoryParam, kept.length >> 8, kept.length & 0xff, ...kept)];
}
