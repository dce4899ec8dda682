// A small internet for tests: what a recursive resolver would answer about names below example.org and example.net.

import dnsPacket from "dns-packet";

type Record = dnsPacket.Answer;

/** Names `PREFIX NUMBER .example.org`: the prefix says what stands there, the number varies it. */
const kinds = ["host", "chain", "far", "gone", "void", "many", "mail", "mixed", "bound"] as const;

/** How long a "no" may be kept (RFC 2308 5). */
export const negativeTtlSeconds = 60;

/** The SOA of the zone that a name lies in. */
function soaOf(name: string): Record {
  const zone = name.endsWith(".example.net") ? "example.net" : "example.org";
  const data = {
    mname: `ns.${zone}`,
    rname: `host.${zone}`,
    serial: 1,
    refresh: 2,
    retry: 3,
    expire: 4,
    minimum: negativeTtlSeconds,
  };
  return { type: "SOA", name: zone, ttl: 300, data };
}

/** dns-packet knows these two by their numbers only. */
const svcb = "UNKNOWN_64" as dnsPacket.RecordType;
const https = "UNKNOWN_65" as dnsPacket.RecordType;

/** Every question of the differential test: 700 and some. */
export function zoneQuestions(): readonly { readonly name: string; readonly type: dnsPacket.RecordType }[] {
  const types = ["A", "AAAA", "MX", "TXT", "SRV", "CAA", "NS", "SOA", "PTR", "CNAME", svcb, https] as const;
  return kinds.flatMap((kind) =>
    types.flatMap((type) =>
      Array.from({ length: 7 }, (_, number) => ({ name: `${kind}${number}.example.org`, type })),
    ),
  );
}

/** Answers a query as a recursive resolver; `limit` is what fits. */
export function answerFromZone(message: Buffer, limit: number): Buffer {
  const query = dnsPacket.decode(message);
  const [question] = query.questions ?? [];
  if (question === undefined) throw new Error("no question");
  const { rcode, answers } = find(question.name.toLowerCase(), question.type);
  const negative = !answers.some(({ type }) => type === question.type);
  const last = answers.reduce(
    (name, record) => (record.type === "CNAME" ? record.data : name),
    question.name.toLowerCase(),
  );
  const response = dnsPacket.encode({
    type: "response",
    id: query.id ?? 0,
    flags: 0x0180 | rcode,
    questions: [question],
    answers: answers.map((record) => ({
      ...record,
      name: record.name === question.name.toLowerCase() ? question.name : record.name,
    })),
    authorities: negative ? [soaOf(last)] : [],
    additionals: [
      { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] } as unknown as Record,
    ],
  });
  if (response.length <= limit) return response;
  return dnsPacket.encode({ type: "response", id: query.id ?? 0, flags: 0x0380, questions: [question] });
}

function find(
  name: string,
  type: dnsPacket.RecordType,
): { readonly rcode: number; readonly answers: readonly Record[] } {
  const match = /^([a-z]+)([0-9]+)\.example\.(?:org|net)$/.exec(name);
  const kind = kinds.find((known) => known === match?.[1]);
  if (match === null || kind === undefined || kind === "gone") return { rcode: 3, answers: [] };
  const number = Number(match[2]);
  const link = (target: string) => {
    const rest = type === "CNAME" ? { rcode: 0, answers: [] } : find(target, type);
    return {
      rcode: rest.rcode,
      answers: [{ type: "CNAME", name, ttl: 60 + number, data: target } as Record, ...rest.answers],
    };
  };
  if (kind === "chain")
    return number === 0 ? link("host1.example.net") : link(`chain${number - 1}.example.org`);
  if (kind === "far") return link(`gone${number}.example.org`);
  return { rcode: 0, answers: recordsAt(name, kind, number).filter((record) => record.type === type) };
}

function recordsAt(name: string, kind: (typeof kinds)[number], number: number): readonly Record[] {
  const a = (count: number): Record[] =>
    Array.from({ length: count }, (_, i) => ({
      type: "A",
      name,
      ttl: 300,
      data: `198.51.${100 + number}.${i + 1}`,
    }));
  const aaaa = (count: number): Record[] =>
    Array.from({ length: count }, (_, i) => ({
      type: "AAAA",
      name,
      ttl: 300,
      data: `2001:db8:${number}::${i + 1}`,
    }));
  switch (kind) {
    case "host":
      return [...a(1 + number), ...aaaa(number % 3)];
    case "many":
      return [...a(30 * (number + 1)), ...aaaa(20 * (number + 1))];
    case "mail":
      return [
        { type: "MX", name, ttl: 300, data: { preference: 10, exchange: `host${number}.example.org` } },
        { type: "MX", name, ttl: 300, data: { preference: 20, exchange: "mail.example.net" } },
        { type: "TXT", name, ttl: 300, data: ["v=spf1 -all", "x".repeat(200)] },
      ];
    case "mixed":
      return [
        ...a(1),
        {
          type: "SRV",
          name,
          ttl: 300,
          data: { priority: 1, weight: 2, port: 443, target: `host${number}.example.net` },
        },
        { type: "CAA", name, ttl: 300, data: { flags: 0, tag: "issue", value: "ca.example.net" } },
        { type: "NS", name, ttl: 300, data: "ns1.example.net" },
        { type: "NS", name, ttl: 300, data: `ns2.${name}` },
        { type: "PTR", name, ttl: 300, data: `host${number}.example.net` },
        { ...soaOf(name), name } as Record,
      ];
    case "bound":
      return [https, svcb].map(
        (type) => ({ type, name, ttl: 120 + number, data: binding(number) }) as Record,
      );
    default:
      return [];
  }
}

/** `NUMBER . alpn=h2 port=443`, and for odd numbers with hints and `ech` between (RFC 9460). */
function binding(number: number): Buffer {
  const parameter = (key: number, ...value: readonly number[]): number[] => [
    0,
    key,
    0,
    value.length,
    ...value,
  ];
  return Buffer.from([
    ...[0, number + 1, 0],
    ...parameter(1, 2, 0x68, 0x32),
    ...parameter(3, 1, 187),
    ...(number % 2 === 0
      ? []
      : [
          ...parameter(4, 198, 51, 100, number),
          ...parameter(5, 0, 0, 0, 0),
          ...parameter(6, 0x20, 0x01, 0x0d, 0xb8, ...new Array<number>(12).fill(number)),
        ]),
    ...parameter(7, ...Buffer.from("/dns-query{?dns}")),
  ]);
}
