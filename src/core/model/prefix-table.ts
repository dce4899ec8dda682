// Values by address prefix. A look-up is one map probe for each distinct prefix length, for any number of prefixes.

import { addressBytes, type Family, familyOf, type IpAddress, type Prefix } from "./address.ts";

/** Values by the bits of a prefix; as a number, because the text of a network takes ten times as long to make. */
type Networks<Value> = Map<bigint, Value[]>;

export class PrefixTable<Value> {
  /** By how many bits of an address are no part of the prefix. */
  readonly #byShift: Readonly<Record<Family, Map<bigint, Networks<Value>>>> = { 4: new Map(), 6: new Map() };

  add({ address, length }: Prefix, value: Value): void {
    const family = familyOf(address);
    const shift = BigInt((family === 4 ? 32 : 128) - length);
    const networks: Networks<Value> = this.#byShift[family].get(shift) ?? new Map();
    this.#byShift[family].set(shift, networks);
    const network = bitsOf(address) >> shift;
    const values = networks.get(network);
    if (values === undefined) networks.set(network, [value]);
    else values.push(value);
  }

  /** The values of the longest prefix that the address lies in. */
  longest(address: IpAddress): readonly Value[] {
    const bits = bitsOf(address);
    let shortest: bigint | undefined;
    let found: readonly Value[] = [];
    for (const [shift, networks] of this.#byShift[familyOf(address)]) {
      if (shortest !== undefined && shift > shortest) continue;
      const values = networks.get(bits >> shift);
      if (values === undefined) continue;
      shortest = shift;
      found = values;
    }
    return found;
  }

  /** The values of every prefix that the address lies in. */
  match(address: IpAddress): readonly Value[] {
    const tables = this.#byShift[familyOf(address)];
    if (tables.size === 0) return nothing;
    const found: Value[] = [];
    const bits = bitsOf(address);
    for (const [shift, networks] of tables) {
      const values = networks.get(bits >> shift);
      if (values !== undefined) found.push(...values);
    }
    return found;
  }
}

/** Of the address that was looked up last: it is mostly looked for in one table after another. */
let last: { readonly address: IpAddress; readonly bits: bigint } | undefined;

const nothing: readonly [] = [];

function bitsOf(address: IpAddress): bigint {
  if (last?.address === address) return last.bits;
  const bits = addressBytes(address).reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  last = { address, bits };
  return bits;
}
