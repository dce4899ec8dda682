// Records as bytes. Those that do not fit are cut by whole rrsets (RFC 2181 9).

import { classIn } from "../codes.ts";
import { recordType } from "../record-types.ts";
import { writeWord } from "../words.ts";
import { type Output, writeName } from "./names.ts";
import { isName, type ResourceRecord, sameRrset } from "./record.ts";

/** Writes whole rrsets while they fit in `room`; how many records were written. */
export function writeSection(output: Output, records: readonly ResourceRecord[], room: number): number {
  let written = 0;
  while (written < records.length) {
    const start = output.length;
    let next = written;
    do {
      const record = records[next];
      if (record === undefined || !writeRecord(output, record, room)) {
        output.length = start;
        // Nothing may point to what stands there no more.
        for (const [suffix, offset] of output.suffixes ?? [])
          if (offset >= start) output.suffixes?.delete(suffix);
        return written;
      }
      next++;
    } while (next < records.length && sameRrset(records[written], records[next]));
    written = next;
  }
  return written;
}

function writeRecord(output: Output, record: ResourceRecord, room: number): boolean {
  if (!writeName(output, record.owner, room, true)) return false;
  const fixed = output.length;
  if (fixed + 10 > room) return false;
  writeWord(output.bytes, fixed, record.type);
  writeWord(output.bytes, fixed + 2, classIn);
  writeWord(output.bytes, fixed + 4, record.ttlSeconds >>> 16);
  writeWord(output.bytes, fixed + 6, record.ttlSeconds & 0xffff);
  output.length = fixed + 10;
  const compress = recordType(record.type)?.compressed === true;
  for (const part of record.rdata) {
    if (isName(part)) {
      if (!writeName(output, part, room, compress)) return false;
    } else {
      if (output.length + part.length > room) return false;
      output.bytes.set(part, output.length);
      output.length += part.length;
    }
  }
  writeWord(output.bytes, fixed + 8, output.length - fixed - 10);
  return true;
}
