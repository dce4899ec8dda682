// Values by address prefix. A look-up is one map probe for each distinct prefix length, whatever the number of
// prefixes.

import { type Family, familyOf, type IpAddress, networkAddress, type Prefix } from "./address.ts";

export class PrefixTable<Value> {
  readonly #byLength: Readonly<Record<Family, Map<number, Map<IpAddress, Value[]>>>> = {
    4: new Map(),
    6: new Map(),
  };

  add({ address, length }: Prefix, value: Value): void {
    const lengths = this.#byLength[familyOf(address)];
    const networks = lengths.get(length) ?? new Map<IpAddress, Value[]>();
    lengths.set(length, networks);
    const values = networks.get(address);
    if (values === undefined) networks.set(address, [value]);
    else values.push(value);
  }

  /** The values of every prefix that the address lies in. */
  match(address: IpAddress): Value[] {
    const found: Value[] = [];
    for (const [length, networks] of this.#byLength[familyOf(address)]) {
      const values = networks.get(networkAddress(address, length));
      if (values !== undefined) found.push(...values);
    }
    return found;
  }
}
