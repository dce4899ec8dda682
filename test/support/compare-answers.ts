// Our answer and that of another resolver to one question, laid side by side.

import assert from "node:assert/strict";
import dnsPacket from "dns-packet";
import { negativeTtlSeconds } from "./fake-zone.ts";

/** An answer; when it did not fit into its datagram, the one that TCP brought. */
export interface Asked {
  readonly decoded: dnsPacket.DecodedPacket;
  readonly truncated: boolean;
}

/** A question with EDNS of a payload size; 0 leaves EDNS out. */
export function questionOf(name: string, type: dnsPacket.RecordType, size: number): Buffer {
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: size,
    flags: 0,
    options: [],
  } as unknown as dnsPacket.Answer;
  return dnsPacket.encode({
    type: "query",
    id: 77,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: size === 0 ? [] : [opt],
  });
}

/** Asserts that both say the same, but for what a guard leaves out. */
export function compare(ours: Asked, theirs: Asked): void {
  assert.deepEqual(essenceOf(ours), essenceOf(theirs));
  assert.deepEqual(ours.decoded.answers?.map(withoutStripped), ours.decoded.answers, "hints or ech");
  checkTtls(ours.decoded, theirs.decoded);
}

type Records = dnsPacket.Answer[] | undefined;

/** What must be equal: the rcode and the records, their order and TTL aside. */
export function essenceOf({ decoded, truncated }: Asked) {
  const lines = (records: Records): readonly string[] =>
    (records ?? [])
      .map(
        (record) =>
          `${record.name.toLowerCase()} ${record.type} ${JSON.stringify((record as { data?: unknown }).data)}`,
      )
      .sort();
  const { rcode } = decoded as unknown as { rcode: string };
  return {
    rcode,
    truncated,
    answers: lines(decoded.answers?.map(withoutStripped)),
    soa: lines(soaOf(decoded)),
  };
}

const soaOf = ({ authorities }: dnsPacket.DecodedPacket): Records =>
  authorities?.filter(({ type }) => type === "SOA");

/**
 * The one difference that there is to be: of service bindings we leave out hints, which are addresses without a grant,
 * and `ech`, which would hide the name. Unbound's answer is compared without them; that ours has none is compared so.
 */
function withoutStripped(record: dnsPacket.Answer): dnsPacket.Answer {
  const { type, data } = record as { readonly type: string; readonly data?: unknown };
  if (!["UNKNOWN_64", "UNKNOWN_65"].includes(type) || !Buffer.isBuffer(data)) return record;
  // Priority, and the root as the target.
  const kept = [data.subarray(0, 3)];
  for (let offset = 3; offset < data.length; ) {
    const end = offset + 4 + data.readUInt16BE(offset + 2);
    if (![4, 5, 6].includes(data.readUInt16BE(offset))) kept.push(data.subarray(offset, end));
    offset = end;
  }
  return { ...record, data: Buffer.concat(kept) } as dnsPacket.Answer;
}

/** The least and the greatest TTL that the client gets, seconds; undefined without records. */
function ttlsOf(records: dnsPacket.Answer[]): readonly [least: number, most: number] | undefined {
  const ttls = records.map((record) => ("ttl" in record ? (record.ttl ?? 0) : 0));
  return ttls.length === 0 ? undefined : [Math.min(...ttls), Math.max(...ttls)];
}

/** Whole seconds of two caches that count on their own, and a busy machine between two questions. */
const slackSeconds = 3;

/**
 * Ours tells every record, the SOA of a "no" as well, the least TTL of the answer: what ends first ends its grant.
 * Unbound has one SOA for all that it knows of a zone, as old as the first "no": there ours may be younger, and is at
 * most what the zone says.
 */
function checkTtls(ours: dnsPacket.DecodedPacket, theirs: dnsPacket.DecodedPacket): void {
  const [one, other] = [ours, theirs].map((packet) =>
    ttlsOf([...(packet.answers ?? []), ...(soaOf(packet) ?? [])]),
  );
  assert.equal(one === undefined, other === undefined);
  if (one === undefined || other === undefined) return;
  assert.ok(one[0] === one[1], `told ${one.join(" and ")} s`);
  const most = soaOf(ours)?.length ? negativeTtlSeconds : other[0] + slackSeconds;
  assert.ok(one[0] <= most && one[0] >= other[0] - slackSeconds, `told ${one[0]} s, unbound ${other[0]} s`);
}
