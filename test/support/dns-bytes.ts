// DNS messages for tests, made by hand where the point is what no library would make.

import dnsPacket from "dns-packet";

/** A name from labels, each as text in Latin-1 (so that any byte can stand in one). */
export function wireName(...labels: readonly string[]): Buffer {
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")])),
    Buffer.from([0]),
  ]);
}

/** A name without escapes. */
export function plainName(text: string): Buffer {
  return text === "" ? Buffer.from([0]) : wireName(...text.split("."));
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    bytes.writeUInt16BE(value, index * 2);
  });
  return bytes;
}

export interface RawMessage {
  readonly id?: number;
  readonly flags?: number;
  /** Counts of the four sections. */
  readonly counts?: readonly [number, number, number, number];
  readonly body?: readonly Uint8Array[];
}

/** A header, and whatever behind it. */
export function rawMessage({
  id = 0x1234,
  flags = 0x0100,
  counts = [1, 0, 0, 0],
  body = [],
}: RawMessage): Buffer {
  return Buffer.concat([words(id, flags, ...counts), ...body]);
}

/** Name, type and class of a question. */
export function rawQuestion(name: Uint8Array, type = 1, recordClass = 1): Buffer {
  return Buffer.concat([name, words(type, recordClass)]);
}

export interface RawRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly recordClass?: number;
  readonly ttl?: number;
  readonly rdata: Uint8Array;
}

export function rawRecord({ owner, type, recordClass = 1, ttl = 300, rdata }: RawRecord): Buffer {
  return Buffer.concat([
    owner,
    words(type, recordClass, Math.floor(ttl / 65536), ttl % 65536, rdata.length),
    rdata,
  ]);
}

/** An OPT record. */
export function rawOpt(
  change: { size?: number; version?: number; flags?: number; options?: Uint8Array; owner?: Uint8Array } = {},
): Buffer {
  const { size = 1232, version = 0, flags = 0, options = Buffer.alloc(0), owner = Buffer.from([0]) } = change;
  return Buffer.concat([owner, words(41, size, version, flags, options.length), options]);
}

/** A response with a question and records of the answer section. */
export function rawResponse(
  question: Uint8Array,
  answers: readonly Uint8Array[],
  change: {
    readonly flags?: number;
    readonly authority?: readonly Uint8Array[];
    readonly additional?: readonly Uint8Array[];
  } = {},
): Buffer {
  const { flags = 0x8180, authority = [], additional = [] } = change;
  const counts = [1, answers.length, authority.length, additional.length] as const;
  return rawMessage({ flags, counts, body: [question, ...answers, ...authority, ...additional] });
}

/** Four bytes. */
export function v4(text: string): Buffer {
  return Buffer.from(text.split(".").map(Number));
}

export interface Decoded {
  readonly id: number;
  readonly rcode: string;
  readonly truncated: boolean;
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly opt:
    | {
        readonly size: number;
        readonly errorCode: number | undefined;
        readonly errorText: string | undefined;
        readonly extendedRcode: number;
      }
    | undefined;
}

/** Another implementation's reading of a message, in lines. */
export function decodeMessage(bytes: Uint8Array): Decoded {
  const packet = dnsPacket.decode(Buffer.from(bytes)) as dnsPacket.DecodedPacket & { rcode: string };
  const opt = packet.additionals?.find((record) => record.type === "OPT") as
    | { udpPayloadSize: number; extendedRcode: number; options: { code: number; data: Buffer }[] }
    | undefined;
  const error = opt?.options.find(({ code }) => code === 15)?.data;
  const lines = (records: dnsPacket.Answer[] | undefined): string[] =>
    (records ?? []).map((record) => {
      const { name, type, ttl, data } = record as {
        name: string;
        type: string;
        ttl?: number;
        data?: unknown;
      };
      return `${name} ${ttl} ${type} ${typeof data === "string" ? data : JSON.stringify(data)}`;
    });
  return {
    id: packet.id ?? -1,
    rcode: packet.rcode,
    truncated: packet.flag_tc,
    answers: lines(packet.answers),
    authority: lines(packet.authorities),
    opt: opt && {
      size: opt.udpPayloadSize,
      extendedRcode: opt.extendedRcode,
      errorCode: error?.readUInt16BE(0),
      errorText: error?.subarray(2).toString(),
    },
  };
}
