// Rules of other software that write our bits of the marks. The stamp of an admitted flow opens nothing by itself: it counts
// only for a flow that has passed our rules before, and flows are cut by address. But flows lose their stamp and end with
// their lease, or packets count as denied; and a flow that began where nobody judges it is believed once it has lost the
// stamp that says so. Found in the output of iptables-save.

import { chainNames, connectionMark, packetMarkMask, unsettledMark } from "./names.ts";

export interface ForeignMark {
  /** As iptables-save prints it, with its table. */
  readonly rule: string;
  /** What it writes: the mark of flows, or of packets. */
  readonly writes: "connection mark" | "packet mark";
  /** Our bits in it. */
  readonly bits: number;
}

const ownChains: ReadonlySet<string> = new Set(Object.values(chainNames));

/** The rules in the output of iptables-save, of whatever family and variant, that overwrite bits of ours. */
export function findForeignMarks(saved: string): ForeignMark[] {
  let table = "";
  return saved.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    const [, chain] = /^-A (\S+) /.exec(line) ?? [];
    if (chain === undefined || ownChains.has(chain)) return [];
    const written = writtenBits(line);
    if (written === undefined) return [];
    const bits = (written.bits & oursIn(table, written.writes)) >>> 0;
    return bits === 0 ? [] : [{ rule: `${table}: ${line}`, writes: written.writes, bits }];
  });
}

/** A port's mark never gets beyond raw: what writes it later meets nothing of ours. */
function oursIn(table: string, writes: ForeignMark["writes"]): number {
  if (writes === "connection mark") return connectionMark.mask;
  return table === "raw" ? packetMarkMask | unsettledMark : packetMarkMask;
}

/** The bits that a rule sets or clears; a value outside of its mask turns bits round. */
function writtenBits(line: string): Pick<ForeignMark, "writes" | "bits"> | undefined {
  const [, target, action, value, mask] =
    / -j (MARK|CONNMARK) --(set-xmark|set-mark|save-mark|restore-mark)(?: (0x[0-9a-f]+|\d+)(?:\/(0x[0-9a-f]+|\d+))?)?/.exec(
      line,
    ) ?? [];
  if (target === undefined) return undefined;
  if (action === "save-mark") return { writes: "connection mark", bits: optionBits(line, "ctmask") };
  if (action === "restore-mark") return { writes: "packet mark", bits: optionBits(line, "nfmask") };
  const bits = mask === undefined ? allBits : Number(value) | Number(mask);
  return { writes: target === "MARK" ? "packet mark" : "connection mark", bits };
}

const allBits = 0xffff_ffff;

function optionBits(line: string, name: "ctmask" | "nfmask"): number {
  const [, mask] = new RegExp(` --(?:${name}|mask) (0x[0-9a-f]+|\\d+)`).exec(line) ?? [];
  return mask === undefined ? allBits : Number(mask);
}

/** What is to be said about one. */
export function renderForeignMark({ rule, writes, bits }: ForeignMark): string {
  const opens = writes === "connection mark" && (bits & connectionMark.elsewhere) !== 0;
  const lost = opens ? ", so that flows which others have begun under guarded addresses may be believed" : "";
  return `a rule of other software overwrites bits 0x${bits.toString(16)} of the ${writes}, which Dockerwall uses${lost}: ${rule}; give it a mask without them`;
}
