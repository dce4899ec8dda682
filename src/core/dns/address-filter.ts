// Which addresses an answer from outside may not open (property 6 of docs/security.md): a stranger's name must not lead
// a container to the host, to its neighbours, or into the operator's own network (DNS rebinding).
// A cloud serves its virtual machines by such addresses, too; only Azure has a public one for that.
// Documentation and benchmark ranges (RFC 5737, 3849, 2544) are not refused: nothing private lives there.

import {
  addressBytes,
  addressFromBytes,
  familyOf,
  type IpAddress,
  type Prefix,
  parsePrefix,
} from "../model/address.ts";
import { readWord } from "./wire/words.ts";

/** Not reachable from outside by their meaning (IANA special-purpose registries, and one of a cloud). */
const refusedPrefixes: readonly Prefix[] = [
  "0.0.0.0/8", // this network; Linux connects 0.0.0.0 to itself
  "10.0.0.0/8",
  "100.64.0.0/10", // carrier-grade NAT, and what overlay VPNs use
  "127.0.0.0/8",
  "168.63.129.16/32", // Azure's own end of each virtual machine: its agent's settings, with secrets among them
  "169.254.0.0/16", // link-local, cloud metadata
  "172.16.0.0/12",
  "192.0.0.0/24", // protocol assignments
  "192.168.0.0/16",
  "224.0.0.0/3", // multicast, reserved, broadcast
  "::/96", // unspecified, loopback, v4-compatible
  "::ffff:0:0/96", // v4-mapped: a socket would go to the v4 address inside, past the v6 sets
  "::ffff:0:0:0/96", // v4-translated (RFC 2765)
  "64:ff9b:1::/48", // NAT64 of a local network (RFC 8215)
  "100::/64", // discard-only
  "5f00::/16", // segment routing inside one provider (RFC 9602)
  "fc00::/7", // unique local
  "fe80::/10", // link-local
  "fec0::/10", // site-local, deprecated and still routed by some
  "ff00::/8", // multicast
].map(prefix);

/** IPv6 forms that carry an IPv4 address to a translator or a tunnel, and where it stands in the 16 bytes. */
const carriers: readonly {
  readonly start: Uint8Array;
  readonly length: number;
  readonly offset: number;
  /** Offset of a second one whose bits are turned. */
  readonly inverted?: number;
}[] = [
  { ...carrier("64:ff9b::/96"), offset: 12 }, // NAT64 (RFC 6052)
  { ...carrier("2002::/16"), offset: 2 }, // 6to4 (RFC 3056)
  { ...carrier("2001::/32"), offset: 4, inverted: 12 }, // Teredo: server, and client (RFC 4380)
];

export interface AddressFilter {
  /** The host's own addresses and the subnets of the engine's networks. */
  readonly own: readonly Prefix[];
  /**
   * What the allowlist makes of an address that the name leads to: `opened`, `told` where what is open there is not the
   * name's to open, or `refused`. One that is `inside` must be named itself.
   */
  judge(address: IpAddress, inside: boolean): "opened" | "told" | "refused";
  /** True for an address of which `!` entries leave nothing. */
  isTaken(address: IpAddress): boolean;
}

export interface JudgedAddress {
  readonly verdict: "opened" | "told" | "refused";
  readonly inside: boolean;
}

/** What an answer may do with an address; `bytes` are its 4 or 16 bytes. */
export function judgeAddress(filter: AddressFilter, address: IpAddress, bytes: Uint8Array): JudgedAddress {
  const inside = leadsInside(filter.own, bytes);
  if (filter.isTaken(address)) return { verdict: "refused", inside };
  const verdict = filter.judge(address, inside);
  const isData = verdict === "opened" && anyCovers(itself, bytes);
  return { verdict: isData ? "told" : verdict, inside };
}

/** The container itself: no packet to it leaves, so there is nothing to open; block lists answer so. */
const itself: readonly Prefix[] = ["0.0.0.0/8", "127.0.0.0/8", "::/127"].map(prefix);

/** True for an address that no answer may open unless the allowlist names it; `bytes` are its 4 or 16 bytes. */
export function leadsInside(own: readonly Prefix[], bytes: Uint8Array): boolean {
  if (isOwnOrPrivate(own, bytes)) return true;
  for (const form of carried(bytes)) if (isOwnOrPrivate(own, form)) return true;
  return false;
}

function isOwnOrPrivate(own: readonly Prefix[], bytes: Uint8Array): boolean {
  return anyCovers(refusedPrefixes, bytes) || anyCovers(own, bytes);
}

/** The same by its meaning alone, whatever is this host's own. */
export function isInside(bytes: Uint8Array): boolean {
  return leadsInside(none, bytes);
}

const neverOutside: readonly Prefix[] = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "224.0.0.0/3",
  "::/128",
  "::1/128",
  "fe80::/10",
  "ff00::/8",
].map(prefix);

/** True for an address that nobody reaches beyond the link: loopback, link-local, cloud metadata, multicast, broadcast. */
export function isNeverOutside(bytes: Uint8Array): boolean {
  return anyCovers(neverOutside, bytes);
}

/** True when no address of a prefix has a meaning outside: it needs no mention of its own in a filter. */
export function isPrivatePrefix({ address, length }: Prefix): boolean {
  const start = addressBytes(address);
  return refusedPrefixes.some((refused) => refused.length <= length && covers(refused, start));
}

/** The IPv4 addresses that a translator or a tunnel takes out of an IPv6 address, and leads to. */
export function carriedBy(address: IpAddress): readonly IpAddress[] {
  return familyOf(address) === 4 ? none : carried(addressBytes(address)).map(addressFromBytes);
}

function carried(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length === 4) return none;
  const its = carriers.find(({ start, length }) => startsWith(bytes, start, length));
  if (its === undefined) return none;
  const { offset, inverted } = its;
  const plain = bytes.subarray(offset, offset + 4);
  return inverted === undefined
    ? [plain]
    : [plain, bytes.subarray(inverted, inverted + 4).map((byte) => byte ^ 0xff)];
}

const none: readonly [] = [];

/** Prefixes as they are compared: without texts, as every address of every answer is compared with every prefix. */
interface Compiled {
  /** Of version 4: network and mask in turn. */
  readonly numbers: Uint32Array;
  /** Of version 6. */
  readonly others: readonly { readonly start: Uint8Array; readonly length: number }[];
}

/** Lists of prefixes are few and live long. */
const compiled = new WeakMap<readonly Prefix[], Compiled>();

function compile(prefixes: readonly Prefix[]): Compiled {
  const known = compiled.get(prefixes);
  if (known !== undefined) return known;
  const all = prefixes.map(({ address, length }) => ({ start: addressBytes(address), length }));
  const made = {
    numbers: Uint32Array.from(
      all
        .filter(({ start }) => start.length === 4)
        .flatMap(({ start, length }) => [numberOf(start), length === 0 ? 0 : 0xffff_ffff << (32 - length)]),
    ),
    others: all.filter(({ start }) => start.length === 16),
  };
  compiled.set(prefixes, made);
  return made;
}

function anyCovers(prefixes: readonly Prefix[], bytes: Uint8Array): boolean {
  const { numbers, others } = compile(prefixes);
  if (bytes.length === 4) {
    const number = numberOf(bytes);
    for (let at = 0; at < numbers.length; at += 2)
      if ((number & (numbers[at + 1] ?? 0)) >>> 0 === numbers[at]) return true;
    return false;
  }
  for (const { start, length } of others) if (startsWith(bytes, start, length)) return true;
  return false;
}

function numberOf(bytes: Uint8Array): number {
  return readWord(bytes, 0) * 0x10000 + readWord(bytes, 2);
}

function covers({ address, length }: Prefix, bytes: Uint8Array): boolean {
  const start = addressBytes(address);
  return start.length === bytes.length && startsWith(bytes, start, length);
}

/** Whether so many bits are the same. */
function startsWith(bytes: Uint8Array, start: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (start[index] !== bytes[index]) return false;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return (((start[whole] ?? 0) ^ (bytes[whole] ?? 0)) & mask) === 0;
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`);
  return parsed;
}

function carrier(text: string): { readonly start: Uint8Array; readonly length: number } {
  const { address, length } = prefix(text);
  return { start: addressBytes(address), length };
}
