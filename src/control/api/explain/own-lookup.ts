// What a container's own /etc/resolv.conf makes of a lookup: which names it asks for, and whether the server that answers
// is one whose lookups come to Dockerwall.

import { bracketed, type IpAddress } from "../../../core/model/address.ts";
import type { ExplainReport } from "../../../core/model/report/explain.ts";
import { namesToAsk, serversIn } from "../../../core/path/files/search-list.ts";
import type { PathReading } from "../../../core/path/reading.ts";
import type { ExplainTarget } from "../../../core/policy/target.ts";
import type { PathRequest } from "../../../planes/request-table.ts";

/** Docker's own, in each sandbox. */
export const engineResolver = "127.0.0.11";

/** Where a lookup ends that is sent to a server. */
export type LookupFate = Pick<ExplainReport, "verdict" | "step" | "because">;

export interface OwnLookup {
  /** What is looked up until one has an address, in this order. */
  readonly names: readonly string[];
  /** The servers before the first one that answers, and that one, as far as Dockerwall answers nothing there. */
  readonly others: NonNullable<ExplainReport["resolvers"]>;
  /** Whether the one that answers is none whose lookups come to us, or none answers. */
  readonly isAnsweredElsewhere: boolean;
}

/**
 * @param text of the file; undefined where it cannot be read
 * @param fateOf where a lookup ends that is sent there; undefined where the container has gone meanwhile
 */
export async function readOwnLookup(
  text: string | undefined,
  name: string,
  fateOf: (server: IpAddress) => Promise<LookupFate | undefined>,
): Promise<OwnLookup> {
  if (text === undefined) return { names: [name], others: [], isAnsweredElsewhere: false };
  const names = namesToAsk(text, name);
  const others: { server: IpAddress; because: string }[] = [];
  for (const server of serversIn(text)) {
    const fate = server === engineResolver ? undefined : await fateOf(server);
    if (fate === undefined || fate.verdict === "captured")
      return { names, others, isAnsweredElsewhere: false };
    others.push({ server, because: fate.because });
    // A forwarder in the container itself asks on, and that is a lookup of this container's.
    if (fate.step === "inside") return { names, others, isAnsweredElsewhere: false };
    if (fate.verdict === "passes" || fate.verdict === "not-ours") break;
  }
  return { names, others, isAnsweredElsewhere: true };
}

/** What is known of a target, and of which: of a name, the first that is looked up for it and has an address. */
export interface ReadTarget {
  readonly target: ExplainTarget;
  readonly reading: PathReading;
  readonly isAnsweredElsewhere: boolean;
}

/** @param own undefined for what is not looked up */
export async function readTarget(
  asked: PathRequest,
  own: OwnLookup | undefined,
  { readPath }: { readonly readPath: (path: PathRequest) => Promise<PathReading> },
): Promise<ReadTarget> {
  const { target } = asked;
  const { names = [target.name], isAnsweredElsewhere = false } = own ?? {};
  if (isAnsweredElsewhere) {
    // What we would answer is of no interest: nobody asks us.
    const reading = await readPath({ ...asked, target: { ...target, name: undefined } });
    return { target, reading, isAnsweredElsewhere };
  }
  let asWritten: ReadTarget | undefined;
  for (const name of names) {
    const tried = { ...target, name };
    const read = { target: tried, reading: await readPath({ ...asked, target: tried }), isAnsweredElsewhere };
    if (read.reading.packets.length > 0) return read;
    if (name === target.name) asWritten = read;
  }
  return asWritten ?? { target, reading: await readPath(asked), isAnsweredElsewhere };
}

/** What of it a report tells. */
export function tellOwnLookup(
  own: OwnLookup | undefined,
  { target: { name } }: ReadTarget,
  asked: ExplainTarget,
): Pick<ExplainReport, "searched" | "resolvers"> {
  const { others = [] } = own ?? {};
  return {
    ...(name === undefined || name === asked.name ? {} : { searched: name }),
    ...(others.length === 0 ? {} : { resolvers: others }),
  };
}

/** As a target of `explain`. */
export function lookupAt(server: IpAddress): string {
  return `${bracketed(server)}:53/udp`;
}
