// What an entry opens, as data and in words.

import { renderPrefix } from "../model/address.ts";
import { parseAllowlist } from "../policy/allowlist.ts";
import { serviceOf } from "../policy/decide/policy.ts";
import type { Entry } from "../policy/entry.ts";
import type { Presets } from "../policy/preset.ts";
import type { Opened } from "./report.ts";

/** A word of a list, and what stands for it. */
export interface WrittenEntry {
  readonly word: string;
  /** Several for a preset. */
  readonly entries: readonly Entry[];
}

/** The entries of a list, each by itself; bad ones are left out, as parseAllowlist() tells them. */
export function splitList(text: string, presets: Presets): readonly WrittenEntry[] {
  return [...text.matchAll(/[^\s,]+/g)].flatMap(([word]) => {
    const result = parseAllowlist(word, presets);
    return result.ok ? [{ word, entries: result.entries }] : [];
  });
}

/** What it opens, or takes away. */
export function openedBy(entry: Entry): Opened {
  const { protocol, ports } = serviceOf({ entry });
  const protocols = protocol === "tcp" || protocol === "udp" ? [protocol] : protocolsOf(ports);
  return { ...targetOf(entry), protocols, ports };
}

/** A port is one of TCP or UDP. */
function protocolsOf(ports: Opened["ports"]): Opened["protocols"] {
  return ports === "any" ? "any" : ["tcp", "udp"];
}

const scopes = { exact: "name", subtree: "subtree", glob: "pattern" } as const;

function targetOf(entry: Entry): Pick<Opened, "what" | "target" | "within"> {
  if (entry.kind === "host") return { what: "host", target: "host" };
  if (entry.kind === "prefix") return { what: "addresses", target: renderPrefix(entry.prefix) };
  const named = { what: scopes[entry.scope], target: entry.domain };
  return entry.within === undefined ? named : { ...named, within: renderPrefix(entry.within) };
}

/** `example.com and every name below it, port 443 (TCP and UDP)`. */
export function describeOpened({ what, target, within, protocols, ports }: Opened): string {
  const port =
    ports === "any"
      ? "every port"
      : ports.from === ports.to
        ? `port ${ports.from}`
        : `ports ${ports.from} to ${ports.to}`;
  const service =
    protocols === "any"
      ? `${port} and protocol`
      : `${port} (${protocols.map((protocol) => protocol.toUpperCase()).join(" and ")})`;
  const range = within === undefined ? "" : ` where it leads into ${within}`;
  return `${describeTarget(what, target)}${range}, ${service}`;
}

function describeTarget(what: Opened["what"], target: string): string {
  switch (what) {
    case "name":
      return target;
    case "subtree":
      return `${target} and every name below it`;
    case "pattern":
      return `names like ${target}`;
    case "addresses":
      return /\/(32|128)$/.test(target) && !(target.includes(":") && target.endsWith("/32"))
        ? `address ${target.replace(/\/\d+$/, "")}`
        : `addresses ${target}`;
    case "host":
      return "the Docker host itself";
    default:
      return what satisfies never;
  }
}
