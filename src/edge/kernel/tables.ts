// How full the kernel's tables are, according to /proc of the network namespace.

import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { ownersAtMost } from "../../core/firewall/sets.ts";
import { neighboursRefused, queuesDropped, type TableReadings } from "../../core/status/full-tables.ts";

const folders = ["/proc/net/ipt_hashlimit", "/proc/net/ip6t_hashlimit"];
const NEWLINE = 10;

/** Whatever cannot be read is not full. @param queues numbers of the packet queues that are ours */
export function readTables(queues: readonly number[]): Omit<TableReadings, "setsFull"> {
  const counters = attempt(() => readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8")) ?? "";
  return {
    limitsFull: folders.flatMap(fullIn),
    flows: readFlowCount(),
    queuesDropped: queuesDropped(counters, queues),
    neighboursRefused: { 4: neighboursRefusedIn("arp_cache"), 6: neighboursRefusedIn("ndisc_cache") },
  };
}

function fullIn(folder: string): string[] {
  const names = attempt(() => readdirSync(folder)) ?? [];
  return names.filter((name) => name.startsWith("dockerwall-") && isFull(`${folder}/${name}`));
}

/** A line for each source. */
function isFull(path: string): boolean {
  return (
    attempt(() => {
      const file = openSync(path, "r");
      try {
        const bytes = Buffer.alloc(1 << 16);
        let lines = 0;
        for (let length = 1; length > 0 && lines < ownersAtMost; ) {
          length = readSync(file, bytes);
          for (let at = 0; at < length; at++) if (bytes[at] === NEWLINE) lines++;
        }
        return lines >= ownersAtMost;
      } finally {
        closeSync(file);
      }
    }) ?? false
  );
}

/** Only the first network namespace has these counters; the table is one for all of them. */
function neighboursRefusedIn(table: string): number {
  return attempt(() => neighboursRefused(readFileSync(`/proc/net/stat/${table}`, "utf8"))) ?? 0;
}

function readFlowCount(): TableReadings["flows"] {
  return attempt(() => {
    const read = (name: string): number =>
      Number(readFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`, "utf8"));
    return { count: read("count"), most: read("max") };
  });
}

function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
