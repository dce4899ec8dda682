// Names below a public suffix belong to whoever asks for one: `*.github.io` allows every stranger's page, and a name
// that an attacker picks there carries data out in its lookup alone.

import { getDomain, getPublicSuffix } from "tldts";
import { familyOf } from "../model/address.ts";
import { type Entry, renderEntry } from "./entry.ts";

const options = { allowPrivateDomains: true, extractHostname: false, validateHostname: false } as const;

/** The name that somebody registered, at or above this one; undefined for a public suffix and what is above it. */
export function registrableDomain(domain: string): string | undefined {
  return getDomain(domain, options) ?? undefined;
}

/** Prefixes that are no longer than this cover a good part of the internet. */
const widePrefix = { 4: 7, 6: 15 } as const;

/** Registered names below which there are public suffixes, that is, names of strangers. */
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

/** One sentence for each entry that grants more than one owner's. */
export function warnOfPublicSuffixes(place: string, entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.negated || entry.kind === "host") return [];
    if (entry.kind === "prefix") {
      const { address, length } = entry.prefix;
      if (length > widePrefix[familyOf(address)]) return [];
      return [`${place}: entry ${JSON.stringify(renderEntry(entry))} covers a good part of the internet`];
    }
    if (entry.scope === "exact") return [];
    const literal = entry.scope === "glob" ? literalPart(entry.domain) : entry.domain;
    if (!hasStrangersBelow(literal)) return [];
    const suffix = parentsOfSuffixes.has(literal) ? literal : (getPublicSuffix(literal, options) ?? literal);
    const text = JSON.stringify(renderEntry(entry));
    return [
      `${place}: entry ${text} covers names that anybody can register below ${suffix}; name those that are meant`,
    ];
  });
}

/** What follows the last label with a `*`. */
export function literalPart(pattern: string): string {
  const labels = pattern.split(".");
  return labels.slice(labels.findLastIndex((label) => label.includes("*")) + 1).join(".");
}
