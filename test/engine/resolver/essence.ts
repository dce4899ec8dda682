// A response taken apart by another implementation, in the words of the tables.

import assert from "node:assert/strict";
import dnsPacket from "dns-packet";
import { plainName, rawMessage, rawOpt, rawQuestion } from "../../support/dns-bytes.ts";

/** Types that dns-packet does not know by name, or not by that one. */
const typeNumbers: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, NULL: 10, PTR: 12, MX: 15, TXT: 16, AAAA: 28, LOC: 29, SRV: 33 },
  ...{ NAPTR: 35, DS: 43, SSHFP: 44, DNSKEY: 48, TLSA: 52, SVCB: 64, HTTPS: 65, ANY: 255, CAA: 257 },
  TYPE65280: 65280,
};

/** What a client says of itself; undefined without EDNS. */
export interface AskedEdns {
  readonly size: number;
  readonly dnssecOk: boolean;
}

export function questionFor(name: string, type: string, edns: AskedEdns | undefined): Buffer {
  const number = typeNumbers[type];
  assert.ok(number !== undefined, type);
  const question = rawQuestion(plainName(name), number);
  return edns === undefined
    ? rawMessage({ body: [question] })
    : rawMessage({
        counts: [1, 0, 0, 1],
        body: [question, rawOpt({ size: edns.size, flags: edns.dnssecOk ? 0x8000 : 0 })],
      });
}

export interface Essence {
  readonly rcode: string;
  readonly truncated: boolean;
  readonly answers: readonly string[];
  readonly maxTtl: number;
  /** Of a "no": how long it may be kept, seconds, and whether it is our own. */
  readonly soa: { readonly ttl: number; readonly ours: boolean } | undefined;
  readonly error: number | undefined;
  readonly errorText: string | undefined;
  readonly opt: { readonly size: number; readonly version: number; readonly dnssecOk: boolean } | undefined;
}

/** Takes a response apart; everything that every response must have is asserted here. */
export function essenceOf(query: Uint8Array, response: Buffer): Essence {
  const packet = dnsPacket.decode(response) as dnsPacket.DecodedPacket & { readonly rcode: string };
  assert.equal(packet.id, Buffer.from(query).readUInt16BE(0));
  assert.equal(packet.flag_qr, true);
  assert.equal(packet.flag_ra, true);
  // We vouch for nothing.
  assert.equal(packet.flag_aa, false);
  assert.equal(packet.flag_ad, false);
  assert.equal(packet.flag_rd, ((query[2] ?? 0) & 1) === 1);
  const opt = packet.additionals?.find(({ type }) => type === "OPT") as
    | {
        readonly udpPayloadSize: number;
        readonly ednsVersion: number;
        readonly flag_do: boolean;
        readonly options: readonly { readonly code: number; readonly data: Buffer }[];
      }
    | undefined;
  const soa = packet.authorities?.find((record) => record.type === "SOA");
  const error = opt?.options.find(({ code }) => code === 15)?.data;
  const answers = packet.answers ?? [];
  return {
    rcode: packet.rcode,
    truncated: packet.flag_tc,
    answers: answers.map(lineOf).sort(),
    maxTtl: Math.max(0, ...answers.map((record) => ("ttl" in record ? (record.ttl ?? 0) : 0))),
    soa:
      soa?.type === "SOA" ? { ttl: soa.ttl ?? 0, ours: soa.data.mname === "dockerwall.invalid" } : undefined,
    error: error?.readUInt16BE(0),
    errorText: error?.toString("utf8", 2),
    opt: opt && { size: opt.udpPayloadSize, version: opt.ednsVersion, dnssecOk: opt.flag_do },
  };
}

function lineOf(record: dnsPacket.Answer): string {
  const owner = record.name.toLowerCase();
  const { data } = record as { readonly data: unknown };
  const type = String(record.type).replace("UNKNOWN_64", "SVCB").replace("UNKNOWN_65", "HTTPS");
  const isBinding = type === "HTTPS" || type === "SVCB";
  return `${owner} ${type} ${Buffer.isBuffer(data) && isBinding ? bindingOf(data) : textOf(data)}`;
}

function textOf(data: unknown): string {
  if (typeof data === "string") return data;
  if (Array.isArray(data)) return data.map(String).join("");
  if (typeof data !== "object" || data === null || Buffer.isBuffer(data)) return String(data);
  const fields: readonly unknown[] = Object.values(data);
  return fields.map(String).join(" ");
}

/** Priority, target, and each parameter in hex (RFC 9460). */
function bindingOf(data: Buffer): string {
  const labels: string[] = [];
  let offset = 2;
  for (let size = data[offset] ?? 0; size > 0; size = data[offset] ?? 0) {
    labels.push(data.toString("latin1", offset + 1, offset + 1 + size));
    offset += 1 + size;
  }
  offset += 1;
  const parameters: string[] = [];
  while (offset < data.length) {
    const end = offset + 4 + data.readUInt16BE(offset + 2);
    parameters.push(data.toString("hex", offset, end));
    offset = end;
  }
  return `${data.readUInt16BE(0)} ${labels.length === 0 ? "." : labels.join(".")} ${parameters.join(" ")}`;
}
