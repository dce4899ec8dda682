// A container's own /etc/hosts: programs look there first, and what they find there they never look up.

import { type IpAddress, parseAddress } from "../../model/address.ts";

/** The addresses that the file has for a name (lower case), in its order; none: the name is looked up. @see hosts(5) */
export function addressesInHosts(text: string, name: string): readonly IpAddress[] {
  const found = text.split("\n").flatMap((line): IpAddress[] => {
    const [first = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const address = parseAddress(first);
    return address !== undefined && names.some((each) => each.toLowerCase() === name) ? [address] : [];
  });
  return [...new Set(found)];
}
