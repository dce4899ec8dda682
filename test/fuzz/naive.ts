// A second reading of DNS messages, written for its simplicity and sharing nothing with the product: what the fuzzers
// judge by.

interface NaiveRecord {
  readonly owner: string;
  readonly type: number;
  readonly recordClass: number;
  readonly start: number;
  readonly rdata: Buffer;
}

/** Labels as hex, so that nothing can be confused with a separator. */
export function naiveName(
  message: Buffer,
  offset: number,
  hops = 0,
): { readonly labels: readonly string[]; readonly end: number } | undefined {
  const size = message[offset];
  if (size === undefined || hops > 300) return undefined;
  if (size === 0) return { labels: [], end: offset + 1 };
  if (size >= 0xc0) {
    if (offset + 1 >= message.length) return undefined;
    const target = naiveName(message, message.readUInt16BE(offset) & 0x3fff, hops + 1);
    return target && { labels: target.labels, end: offset + 2 };
  }
  const rest = naiveName(message, offset + 1 + size, hops + 1);
  const label = message
    .toString("latin1", offset + 1, offset + 1 + size)
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return rest && { labels: [label, ...rest.labels], end: rest.end };
}

const nameKey = (labels: readonly string[]): string =>
  labels.map((label) => Buffer.from(label, "latin1").toString("hex")).join(".");

function naiveAnswers(
  message: Buffer,
): { readonly question: string; readonly records: readonly NaiveRecord[] } | undefined {
  const question = naiveName(message, 12);
  if (question === undefined) return undefined;
  const records: NaiveRecord[] = [];
  let offset = question.end + 4;
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    const owner = naiveName(message, offset);
    if (owner === undefined || owner.end + 10 > message.length) break;
    const start = owner.end + 10;
    const end = start + message.readUInt16BE(owner.end + 8);
    records.push({
      owner: nameKey(owner.labels),
      type: message.readUInt16BE(owner.end),
      recordClass: message.readUInt16BE(owner.end + 2),
      start,
      rdata: message.subarray(start, end),
    });
    offset = end;
  }
  return { question: nameKey(question.labels), records };
}

/** Addresses that the message leads to from the question's name, in hex. */
export function naiveAddresses(message: Buffer, type: number): ReadonlySet<string> {
  const read = naiveAnswers(message);
  const found = new Set<string>();
  if (read === undefined) return found;
  const reached = new Set([read.question]);
  for (let round = 0; round < 20; round++) {
    for (const { owner, type: recordType, start } of read.records) {
      const target = recordType === 5 && reached.has(owner) ? naiveName(message, start) : undefined;
      if (target !== undefined) reached.add(nameKey(target.labels));
    }
  }
  for (const { owner, type: recordType, recordClass, rdata } of read.records) {
    if (recordType === type && recordClass === 1 && reached.has(owner)) found.add(rdata.toString("hex"));
  }
  return found;
}

const v4Inward: readonly (readonly [network: number, length: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0a80000, 16],
  [0xe0000000, 3],
];

function isInward4(address: number): boolean {
  return v4Inward.some(([network, length]) => address >>> (32 - length) === network >>> (32 - length));
}

const v6Inward: readonly RegExp[] = [
  /^0{24}/,
  /^0{20}ffff/,
  /^0{16}ffff0000/,
  /^0064ff9b0001/,
  /^01000{13}/,
  /^f[cd]/,
  /^fe[89a-f]/,
  /^ff/,
];

/** True for an address, in hex, that no answer from outside may open, in an IPv6 form as well. */
export function isInward(hex: string): boolean {
  const word = (at: number): number => Number.parseInt(hex.slice(at, at + 8), 16);
  if (hex.length === 8) return isInward4(word(0));
  if (v6Inward.some((form) => form.test(hex))) return true;
  // NAT64, 6to4, Teredo with its server and its client, whose bits are turned.
  if (/^0064ff9b0{16}/.test(hex)) return isInward4(word(24));
  if (hex.startsWith("2002")) return isInward4(word(4));
  return hex.startsWith("20010000") && (isInward4(word(8)) || isInward4((word(24) ^ 0xffffffff) >>> 0));
}

/** The messages that a stream holds as a whole, and whether it ends between two. */
export function naiveFrames(stream: Buffer): {
  readonly messages: readonly string[];
  readonly whole: boolean;
} {
  const messages: string[] = [];
  let rest = stream;
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
    const end = 2 + rest.readUInt16BE(0);
    messages.push(rest.toString("hex", 2, end));
    rest = rest.subarray(end);
  }
  return { messages, whole: rest.length === 0 };
}

/** What an upstream's message is to a query of ours whose question takes this many bytes. */
export function naiveJudgement(query: Buffer, message: Buffer, questionLength: number): string {
  if (message.length < 12) return "foreign";
  const [isResponse, opcode] = [message.readUInt8(2) >= 128, (message.readUInt8(2) >> 3) & 15];
  if (!isResponse || opcode !== 0) return "foreign";
  const count = message.readUInt16BE(4);
  if (count === 0 && (message.readUInt8(3) & 15) !== 0) return "bare";
  const end = 12 + questionLength;
  if (count !== 1 || message.length < end) return "foreign";
  const name = (bytes: Buffer): string => bytes.toString("latin1", 12, end - 4);
  const fold = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!query.subarray(end - 4, end).equals(message.subarray(end - 4, end))) return "foreign";
  if (name(query) === name(message)) return "echo";
  return fold(name(query)) === fold(name(message)) ? "folded" : "foreign";
}
