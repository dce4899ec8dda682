// The domain names of entries, in lower case and ASCII, without a trailing dot.

import { domainToASCII } from "node:url";
import { quote } from "./split.ts";

/** A problem says what is wrong and how to write it. */
export type CanonicalDomain = { readonly domain: string } | { readonly problem: string };

/** How many rightmost labels of a pattern must be written out: a `*` there would match names of any owner. */
const literalLabels = 2;

/** A domain name of so many labels at least. */
export function canonicalDomain(text: string, leastLabels: number): CanonicalDomain {
  const ascii = toAscii(text);
  const domain = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  const labels = domain.split(".");
  const wrong = labels.find((label) => !/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (wrong !== undefined || domain.length > 253) {
    return {
      problem: `${quote(text)} is not a domain name; write letters, digits, - and _ between dots, as in api.example.com`,
    };
  }
  if (/^[0-9]+$/.test(labels.at(-1) ?? "")) {
    return {
      problem: `${quote(text)} is neither an address nor a domain name; write it as 192.0.2.10 or api.example.com`,
    };
  }
  if (labels.length < leastLabels) {
    return {
      problem:
        "a single-label name is never looked up outside, and neighbours on one network need no entry; for anything else write a full domain",
    };
  }
  return { domain };
}

/** In lower case, with A-labels; a text that is not a domain name stays invalid. */
function toAscii(text: string): string {
  if (!/[\u{80}-\u{10ffff}]/u.test(text)) return text.toLowerCase();
  // Node takes quotes and brackets for letters.
  if (/[\p{Pi}\p{Pf}\p{Ps}\p{Pe}]/u.test(text)) return "";
  // Node reads the host of a URL here: `?x` would end it, and `%63` would be a letter.
  return /^[\w.\u{80}-\u{10ffff}-]+$/u.test(text) ? domainToASCII(text) : "";
}

/** A pattern with `*` inside of labels; each stands for any characters within its label. */
export function canonicalPattern(text: string): CanonicalDomain {
  const labels = text.replace(/\.$/, "").toLowerCase().split(".");
  if (labels.slice(-literalLabels).some((label) => label.includes("*"))) {
    return { problem: "the last two labels must be written out, as in build-*.ci.example.com" };
  }
  if (labels[0] === "*" && labels.slice(1).some((label) => label.includes("*"))) {
    return { problem: "a leading `*.` covers every depth; remove it, or every `*` in later labels" };
  }
  if (labels.some((label) => label.includes("**")))
    return { problem: "it has more than one `*` in a row; write only one" };
  // A letter in place of each `*`: what is around it must make a legal name.
  const domain = canonicalDomain(labels.join(".").replaceAll("*", "x"), literalLabels + 1);
  if ("problem" in domain || labels.includes("") || !/^[a-z0-9_.*-]+$/.test(labels.join("."))) {
    return {
      problem: `${quote(text)} is not a domain name pattern; write it as in build-*.ci.example.com, and letters other than a to z in their xn-- form`,
    };
  }
  return { domain: labels.join(".") };
}
