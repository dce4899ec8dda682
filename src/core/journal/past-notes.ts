// A denied connection of a former holder of its address, as the kernel keeps it for us: the comment of an entry that
// times out. `NAME ID NETWORK PACKETS BYTES ASKER PROTOCOL:PORT DESTINATION[ DOMAIN]`

import { parseAddress } from "../model/address.ts";
import { parseNote, renderNote } from "./denied-notes.ts";
import type { DeniedRecord } from "./denied-record.ts";

/** Longest domain that is kept with one; everything else is shorter than the rest of a comment. */
const domainLength = 50;

/** Undefined for a record without an owner. */
export function renderPast(record: DeniedRecord): string | undefined {
  const { owner, domains, asker, destination, protocol, port, packets, bytes } = record;
  if (owner === undefined) return undefined;
  const last = domains.filter((domain) => domain.length <= domainLength).slice(-1);
  const head = renderNote({ ...owner, packets, domains: [] });
  const tail = renderNote({ ...owner, packets, domains: last }).slice(head.length);
  return `${head} ${bytes} ${asker} ${protocol}:${port} ${destination}${tail}`;
}

/** Undefined for every other comment. */
export function parsePast(comment: string | undefined, lastSeenMs: number): DeniedRecord | undefined {
  const match = /^(\S+ \S+ \S+ \d+) (\d{1,15}) (\S+) (\d{1,3}):(\d{1,5}) (\S+)((?: \S+)?)$/.exec(
    comment ?? "",
  );
  if (match === null) return undefined;
  const [, head = "", bytes, from = "", protocol, port, to = "", domain = ""] = match;
  const note = parseNote(`${head}${domain}`);
  const asker = parseAddress(from);
  const destination = parseAddress(to);
  if (note === undefined || asker === undefined || destination === undefined) return undefined;
  const { packets, domains, ...owner } = note;
  return {
    ...{ asker, destination, protocol: Number(protocol), port: Number(port) },
    ...{ packets, bytes: Number(bytes), lastSeenMs, owner, domains },
  };
}
