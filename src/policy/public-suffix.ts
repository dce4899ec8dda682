// Names below a public suffix belong to whoever asks for one: `*.github.io` allows every stranger's page, and a name
// that an attacker picks there carries data out in its lookup alone.

import { getDomain, getPublicSuffix } from "tldts";
import { type Entry, renderEntry } from "./entry.ts";

const options = { allowPrivateDomains: true, extractHostname: false, validateHostname: false } as const;

/** The name that somebody registered, at or above this one; undefined for a public suffix and what is above it. */
export function registrableDomain(domain: string): string | undefined {
  return getDomain(domain, options) ?? undefined;
}

/** One sentence for each entry that grants names which anybody can own. */
export function warnOfPublicSuffixes(place: string, entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.negated || entry.kind !== "domain" || entry.scope === "exact") return [];
    const literal = entry.scope === "glob" ? literalPart(entry.domain) : entry.domain;
    if (registrableDomain(literal) !== undefined) return [];
    const suffix = getPublicSuffix(literal, options) ?? literal;
    const text = JSON.stringify(renderEntry(entry));
    return [
      `${place}: entry ${text} covers names that anybody can register below ${suffix}; name those that are meant`,
    ];
  });
}

/** What follows the last label with a `*`. */
function literalPart(pattern: string): string {
  const labels = pattern.split(".");
  return labels.slice(labels.findLastIndex((label) => label.includes("*")) + 1).join(".");
}
