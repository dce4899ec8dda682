// Anyone can get a name below a public suffix: `*.github.io` allows every stranger's page, and an attacker who picks a
// name there can carry data out in the lookup alone.

import { getDomain, getPublicSuffix } from "tldts";
import type { EntryWarned, Warning } from "../labels/warned.ts";
import { familyOf } from "../model/address.ts";
import { type Entry, renderEntry } from "./entry.ts";
import { literalPart } from "./name-text.ts";

const options = { allowPrivateDomains: true, extractHostname: false, validateHostname: false } as const;

/** The registered name at or above this one; undefined for a public suffix and anything above it. */
export function registrableDomain(domain: string): string | undefined {
  return getDomain(domain, options) ?? undefined;
}

/** Prefixes of at most this length cover a good part of the internet. */
const widePrefix = { 4: 7, 6: 15 } as const;

/** Registered names with public suffixes, that is, names of strangers, below them. */
const parentsOfSuffixes: ReadonlySet<string> = new Set([
  "amazonaws.com",
  "azure.com",
  "cloudapp.net",
  "googleapis.com",
  "googleusercontent.com",
  "windows.net",
]);

/** Whether strangers own names below it. */
export function hasStrangersBelow(domain: string): boolean {
  return registrableDomain(domain) === undefined || parentsOfSuffixes.has(domain);
}

/** One for each entry that grants the names of more than one owner, or a good part of the internet. */
export function warnOfPublicSuffixes(
  place: string,
  entries: readonly Entry[],
): readonly Warning<EntryWarned>[] {
  return entries.flatMap((entry): readonly Warning<EntryWarned>[] => {
    if (entry.negated || entry.kind === "host") return [];
    if (entry.kind === "prefix") {
      const { address, length } = entry.prefix;
      if (length > widePrefix[familyOf(address)]) return [];
      const text = JSON.stringify(renderEntry(entry));
      const sentence = `${place}: entry ${text} covers a good part of the internet; name a longer prefix`;
      return [{ word: "wide-prefix", sentence }];
    }
    if (entry.scope === "exact") return [];
    const literal = entry.scope === "glob" ? literalPart(entry.domain) : entry.domain;
    if (!hasStrangersBelow(literal)) return [];
    const suffix = parentsOfSuffixes.has(literal) ? literal : (getPublicSuffix(literal, options) ?? literal);
    const text = JSON.stringify(renderEntry(entry));
    const sentence = `${place}: entry ${text} covers names that anyone can register below ${suffix}; name only those you need`;
    return [{ word: "public-suffix", sentence }];
  });
}
