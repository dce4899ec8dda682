// The names of addresses in reverse lookups (RFC 1035 3.5, RFC 3596 2.5).

import { addressFromBytes, type IpAddress, parseAddress } from "../../model/address.ts";

/** The address of a whole reverse name in presentation form; undefined for any other name, a zone above included. */
export function addressOfReverseName(name: string): IpAddress | undefined {
  const v4 = /^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.in-addr\.arpa$/.exec(name);
  if (v4 !== null) return parseAddress(v4.slice(1).reverse().join("."));
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  const digits = v6?.[1]?.replaceAll(".", "");
  if (digits === undefined) return undefined;
  const nibbles = [...digits].reverse().map((digit) => Number.parseInt(digit, 16));
  return addressFromBytes(
    Uint8Array.from({ length: 16 }, (_, i) => ((nibbles[i * 2] ?? 0) << 4) | (nibbles[i * 2 + 1] ?? 0)),
  );
}
