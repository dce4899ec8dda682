// The types of records that we know by name, one row each (IANA "Resource Record (RR) TYPEs"): a new type is a new row.
// Of all others, and of those whose row says no more than the code, the rdata is taken as it is (RFC 3597).

import type { Family } from "../../model/address.ts";

export interface RecordType {
  readonly code: number;
  readonly served: Served;
  /** What the rdata consists of, in order; one part of any length where it is left out. */
  readonly rdata?: readonly Field[] | "service binding";
  /** True where every reader decompresses the names in it; in all others names stand whole (RFC 3597 4, RFC 2782). */
  readonly compressed?: true;
}

/**
 * Who is served a type of an allowed name: everyone; where an entry names the very name, or the label `dockerwall.types`
 * the type; where the label names it only; no one, as it is no type of records.
 */
type Served = "always" | "exact" | "labelled" | "never";

/** Bytes of a fixed length, a name, or a character string. */
export type Field = number | "name" | "text";

const rows = {
  a: { code: 1, served: "always", rdata: [4] },
  ns: { code: 2, served: "always", rdata: ["name"], compressed: true },
  cname: { code: 5, served: "always", rdata: ["name"], compressed: true },
  soa: { code: 6, served: "always", rdata: ["name", "name", 20], compressed: true },
  ptr: { code: 12, served: "always", rdata: ["name"], compressed: true },
  hinfo: { code: 13, served: "labelled" },
  mx: { code: 15, served: "always", rdata: [2, "name"], compressed: true },
  // A name below a wildcard could carry data out, and its text data in.
  txt: { code: 16, served: "exact" },
  rp: { code: 17, served: "labelled", rdata: ["name", "name"] },
  afsdb: { code: 18, served: "labelled", rdata: [2, "name"] },
  aaaa: { code: 28, served: "always", rdata: [16] },
  loc: { code: 29, served: "labelled" },
  srv: { code: 33, served: "always", rdata: [6, "name"] },
  naptr: { code: 35, served: "labelled", rdata: [4, "text", "text", "text", "name"] },
  kx: { code: 36, served: "labelled", rdata: [2, "name"] },
  cert: { code: 37, served: "labelled" },
  dname: { code: 39, served: "labelled", rdata: ["name"] },
  opt: { code: 41, served: "never" },
  apl: { code: 42, served: "labelled" },
  ds: { code: 43, served: "labelled" },
  sshfp: { code: 44, served: "labelled" },
  ipseckey: { code: 45, served: "labelled" },
  rrsig: { code: 46, served: "labelled" },
  nsec: { code: 47, served: "labelled" },
  dnskey: { code: 48, served: "labelled" },
  nsec3: { code: 50, served: "labelled" },
  nsec3param: { code: 51, served: "labelled" },
  tlsa: { code: 52, served: "labelled" },
  smimea: { code: 53, served: "labelled" },
  hip: { code: 55, served: "labelled" },
  cds: { code: 59, served: "labelled" },
  cdnskey: { code: 60, served: "labelled" },
  openpgpkey: { code: 61, served: "labelled" },
  csync: { code: 62, served: "labelled" },
  zonemd: { code: 63, served: "labelled" },
  svcb: { code: 64, served: "always", rdata: "service binding" },
  https: { code: 65, served: "always", rdata: "service binding" },
  spf: { code: 99, served: "labelled" },
  eui48: { code: 108, served: "labelled" },
  eui64: { code: 109, served: "labelled" },
  tkey: { code: 249, served: "never" },
  tsig: { code: 250, served: "never" },
  ixfr: { code: 251, served: "never" },
  axfr: { code: 252, served: "never" },
  mailb: { code: 253, served: "never" },
  maila: { code: 254, served: "never" },
  any: { code: 255, served: "never" },
  uri: { code: 256, served: "labelled" },
  caa: { code: 257, served: "always" },
} as const satisfies Readonly<Record<string, RecordType>>;

type TypeName = keyof typeof rows;

const byName = new Map<string, RecordType>(Object.entries(rows));
const byCode = new Map<number, RecordType & { readonly name: string }>(
  Object.entries(rows).map(([name, row]) => [row.code, { ...row, name: name.toUpperCase() }]),
);

/** Codes of types, as messages have them. */
export const types = Object.fromEntries(Object.entries(rows).map(([name, { code }]) => [name, code])) as {
  readonly [Name in TypeName]: (typeof rows)[Name]["code"];
};

/** What is known of the type with this code; undefined for one without a row. */
export function recordType(code: number): RecordType | undefined {
  return byCode.get(code);
}

/** The family of the addresses in records of a type; undefined for a type without addresses. */
export function familyOfType(code: number): Family | undefined {
  if (code === types.a) return 4;
  return code === types.aaaa ? 6 : undefined;
}

/** Whether records of a type are served for an allowed name: `exact` if an entry names the very name. */
export function isServedType(code: number, exact: boolean, extra: ReadonlySet<number>): boolean {
  const served = recordType(code)?.served;
  return served === "always" || (served === "exact" && exact) || extra.has(code);
}

/** The code of `TXT` or `TYPE16`, in any case; undefined for another text and for what is no type of records. */
export function codeOfType(text: string): number | undefined {
  const digits = /^TYPE([0-9]{1,5})$/i.exec(text)?.[1];
  const code = digits === undefined ? byName.get(text.toLowerCase())?.code : Number(digits);
  // RFC 6895 3.1: 0, OPT and 128 to 255 are no types of records.
  const isData = code !== undefined && code > 0 && code < 65_535 && code !== types.opt;
  return isData && (code < 128 || code > 255) ? code : undefined;
}

/** `TXT`, or `TYPE65280` for a type without a row. */
export function nameOfType(code: number): string {
  return byCode.get(code)?.name ?? `TYPE${code}`;
}
