// A container's own /etc/resolv.conf: which names a program looks up for the one that it was given, and whom it asks.

import { parseResolvConf } from "../../dns/resolv-conf.ts";
import type { IpAddress } from "../../model/address.ts";

/** Clients ask no more (MAXNS). @see resolv.conf(5) */
const serversAtMost = 3;
/** As many as every client takes, of a file that the container may have written. */
const domainsAtMost = 6;
const ndotsAtMost = 15;

/** Whom clients ask, in this order. */
export function serversIn(text: string): readonly IpAddress[] {
  return parseResolvConf(text)
    .nameservers.map(({ address }) => address)
    .slice(0, serversAtMost);
}

/** What getaddrinfo(3) looks up until one of them has an address, in this order. @param name lower case */
export function namesToAsk(text: string, name: string): readonly string[] {
  const { domains, ndots } = searchOf(text);
  const searched = domains.map((domain) => `${name}.${domain}`).filter((each) => each.length <= longestName);
  const dots = name.split(".").length - 1;
  return [...new Set(dots >= ndots ? [name, ...searched] : [...searched, name])];
}

const longestName = 253;

/** The last line of each kind counts. */
function searchOf(text: string): { readonly domains: readonly string[]; readonly ndots: number } {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword = "", ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "search") domains = values;
    else if (keyword === "domain") domains = values.slice(0, 1);
    else if (keyword === "options")
      for (const value of values) {
        const [, digits] = /^ndots:(\d{1,3})$/.exec(value) ?? [];
        if (digits !== undefined) ndots = Math.min(Number(digits), ndotsAtMost);
      }
  }
  const written = domains.map((domain) => domain.toLowerCase().replace(/\.$/, ""));
  return { domains: written.filter(isDomain).slice(0, domainsAtMost), ndots };
}

function isDomain(text: string): boolean {
  return /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(text);
}
