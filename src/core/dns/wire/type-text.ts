// Record types by name (IANA "Resource Record (RR) TYPEs"), as far as a container may ask for them.

import { types } from "./codes.ts";

/** Beside those that the rest of the code knows. */
const others: Readonly<Record<string, number>> = {
  ...{ LOC: 29, CERT: 37, APL: 42, DS: 43, SSHFP: 44, IPSECKEY: 45, RRSIG: 46, NSEC: 47, DNSKEY: 48 },
  ...{ NSEC3: 50, NSEC3PARAM: 51, TLSA: 52, SMIMEA: 53, HIP: 55, CDS: 59, CDNSKEY: 60, OPENPGPKEY: 61 },
  ...{ CSYNC: 62, ZONEMD: 63, SPF: 99, EUI48: 108, EUI64: 109, URI: 256 },
};
const codes = new Map(
  Object.entries({ ...types, ...others }).map(([name, code]) => [name.toUpperCase(), code]),
);

/** The code of `TXT` or `TYPE16`, in any case; undefined for another text and for what is no type of records. */
export function codeOfType(text: string): number | undefined {
  const upper = text.toUpperCase();
  const digits = /^TYPE([0-9]{1,5})$/.exec(upper)?.[1];
  const code = digits === undefined ? codes.get(upper) : Number(digits);
  // RFC 6895 3.1: 0, OPT and 128 to 255 are no types of records.
  const isData = code !== undefined && code > 0 && code < 65_535 && code !== types.opt;
  return isData && (code < 128 || code > 255) ? code : undefined;
}
