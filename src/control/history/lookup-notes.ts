// A row of the journal as the kernel keeps it for the next daemon: the comment of an entry that times out, 255 bytes at
// most, `NAME ID NETWORK ASKER SECONDS COUNT VERDICT TYPE DOMAIN[ +ADDRESS…][ -ADDRESS…]`, with the first digits of ids,
// `-` for what is not known, and when it was last seen, in seconds of the kernel's clock, which only goes forward. Of addresses as many as fit: first
// those that were left out of an answer (`-`), as one of them tells where the name leads.

import { commentLength, readableDomain, readableName } from "../../core/grants/comment.ts";
import { othersLabel } from "../../core/journal/lookup-rows.ts";
import type { LookupTally } from "../../core/journal/lookups.ts";
import { type IpAddress, parseAddress } from "../../core/model/address.ts";
import type { LookupTrouble } from "../../core/model/report/stats.ts";
import { shortId } from "../../core/model/topology.ts";

const troubles: readonly LookupTrouble[] = ["private", "failed", "type", "internal", "no-query"];

/** A domain of so many characters fits beside everything else, however long that is. */
const alwaysFits = 64;

/** False for what stands for several, and for a name that is too long or that a comment cannot hold. */
export function fitsComment(tally: LookupTally): boolean {
  const { asker, domain } = tally;
  if (asker === othersLabel || domain === "" || readableDomain(domain) !== domain) return false;
  return domain.length <= alwaysFits || headOf(tally).length <= commentLength;
}

/** The comment of a row that fits. */
export function renderLookup(tally: LookupTally): string {
  const marked = [...tally.refused.map((each) => ` -${each}`), ...tally.granted.map((each) => ` +${each}`)];
  return marked.reduce(
    (text, each) => (text.length + each.length > commentLength ? text : text + each),
    headOf(tally),
  );
}

function headOf(tally: LookupTally): string {
  const { asker, container, networkId, domain, type = "-", count, lastSeenMs } = tally;
  const name = readableName(container?.name ?? "") || "-";
  const id = container === undefined ? "-" : shortId(container.id);
  const seen = [`${Math.floor(lastSeenMs / 1000)}`, `${count}`, verdictOf(tally), type, domain];
  return [name, id, shortId(networkId), asker, ...seen].join(" ");
}

/** Undefined for every other comment. The ids are what was kept of them. */
export function parseLookup(comment: string): LookupTally | undefined {
  const match =
    /^(\S+) (\S{1,12}) (\S{1,12}) (\S+) (-?\d{1,11}) (\d{1,15}) ([a-z,-]+) (\S+) (\S+)((?: [+-]\S+)*)$/.exec(
      comment,
    );
  if (match === null) return undefined;
  const [
    ,
    name = "",
    id = "",
    networkId = "",
    from = "",
    seconds,
    count,
    verdict = "",
    type = "",
    domain = "",
  ] = match;
  const asker = parseAddress(from);
  const told = parseVerdict(verdict);
  if (asker === undefined || told === undefined) return undefined;
  const addresses = match[10] ?? "";
  return {
    ...{ networkId, asker, domain, ...told },
    container: id === "-" ? undefined : { id, name },
    type: type === "-" ? undefined : type,
    count: Number(count),
    lastSeenMs: Number(seconds) * 1000,
    granted: marked(addresses, "+"),
    refused: marked(addresses, "-"),
  };
}

/** `allowed` or `denied`, then what came of it, and `none` for a name that does not exist. */
function verdictOf({ allowed, trouble, mayExist }: LookupTally): string {
  return [
    allowed ? "allowed" : "denied",
    ...(trouble === undefined ? [] : [trouble]),
    ...(mayExist ? [] : ["none"]),
  ].join(",");
}

function parseVerdict(text: string): Pick<LookupTally, "allowed" | "trouble" | "mayExist"> | undefined {
  const [decision, ...rest] = text.split(",");
  const trouble = troubles.find((each) => rest.includes(each));
  const known = rest.every((word) => word === "none" || word === trouble);
  if (!known || (decision !== "allowed" && decision !== "denied")) return undefined;
  return { allowed: decision === "allowed", trouble, mayExist: !rest.includes("none") };
}

function marked(text: string, mark: "+" | "-"): readonly IpAddress[] {
  return text
    .split(" ")
    .flatMap((each) => (each.startsWith(mark) ? (parseAddress(each.slice(1)) ?? []) : []));
}
