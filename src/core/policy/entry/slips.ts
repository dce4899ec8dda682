// What an entry that cannot be read was probably meant to be. Nothing here makes an entry good: a fix is named only if it
// can be read itself.

/** How an entry reads; undefined where it cannot be read. */
type Read = (text: string) => { readonly kind: "domain" | "prefix" | "host" | "preset" } | undefined;

/** Longer texts are no slip of the fingers. */
const maxLength = 300;

/** What may be meant for a protocol, and so is no path of a URL. */
const protocolLike = /^(tcp|udp|icmp(v6)?|sctp|dccp|esp|gre|ip|any|all|both|https?|ssh|dns|quic|tls)(\/|$)/i;

/** What is wrong with the entry, with the fix; undefined where nothing but its own problem is to be said. */
export function slipIn(text: string, read: Read): string | undefined {
  if (text.length > maxLength) return undefined;
  const [, mark = "", positive = ""] = /^(!?)(.*)$/s.exec(text) ?? [];
  const meant = (fix: string): string | undefined => read(`${mark}${fix}`) && `did you mean ${mark}${fix}?`;
  return (
    quotesIn(text, read) ??
    separatorIn(positive) ??
    wildcardIn(positive, meant) ??
    portsIn(positive, meant) ??
    urlIn(positive, read)
  );
}

function quotesIn(text: string, read: Read): string | undefined {
  const without = text.replace(/["'`“”„‘’«»]/g, "");
  if (without === text) return undefined;
  return `it has quotes in it; take the quotes away${read(without) === undefined ? "" : `: ${without}`}`;
}

function separatorIn(positive: string): string | undefined {
  const [found] = /[;|]/.exec(positive) ?? [];
  return found && `${JSON.stringify(found)} is in no entry; separate entries by spaces or commas`;
}

type Meant = (fix: string) => string | undefined;

function wildcardIn(positive: string, meant: Meant): string | undefined {
  // A suffix alone, as in `*com`, would be a bold guess.
  const [, below] = /^(?:\*+|\*\*\.|\.)([^.*].*\..*)$/s.exec(positive) ?? [];
  const fix = below === undefined ? undefined : meant(`*.${below}`);
  return fix && `a wildcard is \`*.\` and a name; ${fix}`;
}

function portsIn(positive: string, meant: Meant): string | undefined {
  if (/^:?\d{1,5}(-\d{1,5})?(\/[a-z]+)?$/i.test(positive))
    return "it is a port without a host; there is one port or range per entry, so write HOST:PORT for each";
  if (/:\d+(-\d+)?,/.test(positive))
    return "there is one port or range per entry; write an entry for each port";
  const [, host = "", from = "", to = "", protocol = ""] =
    /^(.*):(\d{1,5})-(\d{1,5})(\/[a-z]+)?$/is.exec(positive) ?? [];
  const ascending = Number(from) > Number(to) ? meant(`${host}:${to}-${from}${protocol}`) : undefined;
  if (ascending !== undefined) return `of its ports FROM is above TO; ${ascending}`;
  const [, address = "", port = ""] =
    /^([^[\]]*:[^[\]]*[^:[\]]):(\d{1,5}(?:-\d{1,5})?(?:\/[a-z]+)?)$/is.exec(positive) ?? [];
  const bracketed = address === "" ? undefined : meant(`[${address}]:${port}`);
  return bracketed && `an IPv6 address before a port is in brackets; ${bracketed}`;
}

function urlIn(positive: string, read: Read): string | undefined {
  const [, slashes = "", name = "", path = ""] = /^(\/\/)?([^/?#]+)(?:[/?#](.*))?$/s.exec(positive) ?? [];
  if (slashes === "" && (name === positive || protocolLike.test(path) || /^\d+$/.test(path)))
    return undefined;
  if (read(name)?.kind !== "domain") return undefined;
  return `it looks like a URL; write the name only: ${name}`;
}
