// What the product is to reach, and which figure tells. Ratios come from rounds in which all were measured in turn.

import { noRatio } from "./comparison.ts";
import type { PartResult } from "./result.ts";

export type PartName = "lookups" | "first" | "neighbours" | "forwarding" | "start" | "memory" | "engine";

interface Goal {
  /** The name of its figure, and of the sentence on what limits it (performance.template.md). */
  readonly key: string;
  readonly part: PartName;
  readonly what: string;
  readonly bound: { readonly most: number } | { readonly least: number };
  /** What a figure is shown with, and how many digits it has behind the point. */
  readonly unit: string;
  readonly digits: number;
}

const least = (part: PartName, key: string, what: string, bound: number): Goal => ({
  ...{ key, part, what, bound: { least: bound }, unit: "×", digits: 2 },
});
const most = (part: PartName, key: string, what: string, bound: number): Goal => ({
  ...{ key, part, what, bound: { most: bound }, unit: "×", digits: 2 },
});
/** The same of something that is no ratio. */
const inUnit = (unit: string, goal: Goal): Goal => ({ ...goal, unit, digits: unit === " s" ? 2 : 0 });

const traffic = [
  ["flow", "packets/s of an open flow"],
  ["connect", "connections/s"],
  ["stream", "throughput"],
] as const;
const forwarded = (["few", "many"] as const).flatMap((count) =>
  traffic.flatMap(([mode, what]) =>
    (["open", "guarded"] as const).map((place) => {
      const where = place === "open" ? "unguarded" : "guarded";
      const crowd = count === "many" ? ", 500 networks and 1,000,000 entries" : "";
      const said = `forwarding, ${where}${crowd}: ${what}, of the host without Dockerwall`;
      return {
        ...least("forwarding", `${count}-${mode}-${place}`, said, place === "open" ? 0.97 : 0.95),
        digits: 3,
      };
    }),
  ),
);

export const goals: readonly Goal[] = [
  least("lookups", "cachedOfDnsmasq", "cached answers/s of one core, of dnsmasq's", 1.3),
  least("lookups", "cachedOfBest", "cached answers/s of one core, of the better of unbound and dnsdist", 1),
  most("lookups", "cachedCpuOfEcho", "CPU of a cached answer, of an echo in C", 1.6),
  least(
    "lookups",
    "freshOfDnsmasq",
    "uncached, address in the set before the answer, of dnsmasq's (--ipset)",
    2.5,
  ),
  least("lookups", "freshOfSmartdns", "the same, of smartdns' (ipset)", 2),
  least("lookups", "freshOfDnsdist", "the same, of dnsdist's, which fills no set", 1.2),
  least("lookups", "deniedOfDnsmasq", "denied names, of dnsmasq's", 1),
  least("lookups", "missingOfDnsmasq", "NXDOMAIN of new names, of dnsmasq's", 1),
  least("lookups", "goneOfDnsmasq", "NXDOMAIN of names asked for before, of dnsmasq's", 1),
  most("lookups", "cachedP99OfDnsmasq", "p99 with 100 questions outstanding, cached, of dnsmasq's", 1),
  most("lookups", "freshP99OfDnsmasq", "p99 with 100 questions outstanding, uncached, of dnsmasq's", 0.5),
  most("lookups", "cachedOneOfDnsmasq", "p50 of one question at a time, cached, of dnsmasq's", 1),
  most("lookups", "freshOneOfDnsmasq", "p50 of one question at a time, uncached, of dnsmasq's", 1),
  most(
    "first",
    "firstPortP50OfDnsmasq",
    "first connection, port in the label, p50, of dnsmasq with a filter",
    1,
  ),
  most(
    "first",
    "firstPortP99OfDnsmasq",
    "first connection, port in the label, p99, of dnsmasq with a filter",
    1,
  ),
  most(
    "first",
    "firstAnyP50OfDnsmasq",
    "first connection, no port in the label, p50, of dnsmasq with a filter",
    1,
  ),
  most(
    "first",
    "firstAnyP99OfDnsmasq",
    "first connection, no port in the label, p99, of dnsmasq with a filter",
    1,
  ),
  inUnit("", most("first", "firstRefused", "first connections refused", 0)),
  most(
    "neighbours",
    "floodedP99OfQuiet",
    "a neighbour floods: others' worst p99, of that when it is quiet",
    1.5,
  ),
  inUnit("", most("neighbours", "floodedLost", "a neighbour floods: lookups of others lost", 0)),
  ...forwarded,
  inUnit(" ms", most("engine", "createdP99", "network created, until it is enforced, p99", 100)),
  inUnit(
    " ms",
    most("engine", "recreatedP99", "network recreated with another label, until it is enforced, p99", 100),
  ),
  inUnit(" MB", most("memory", "idleMb", "memory, idle", 80)),
  inUnit(" MB", most("memory", "namesMb", "memory, after 1,000,000 different names", 120)),
  inUnit(" MB", most("memory", "grantsMb", "memory, with 100,000 live grants", 200)),
  inUnit(" s", most("start", "startSeconds", "start until `status` is 0, 50 networks and 500 containers", 1)),
  inUnit(
    " ms",
    most("engine", "statsMs", "`docker exec dockerwall stats`, beyond `docker exec dockerwall true`", 50),
  ),
  inUnit(" MB", most("engine", "imageMb", "the image", 200)),
];

export interface JudgedGoal extends Goal {
  /** Undefined if its part has not run, or compares what is not alike. */
  readonly measured: string | undefined;
  readonly wanted: string;
  readonly verdict: "met" | "missed" | "no ratio" | "not measured";
  /** Why there is no ratio. */
  readonly because: string | undefined;
}

/** Puts the figures beside the goals. */
export function judgeGoals(results: Readonly<Partial<Record<PartName, PartResult>>>): readonly JudgedGoal[] {
  return goals.map((goal) => {
    const { key, part, bound, unit, digits } = goal;
    const figure = results[part]?.figures[key] ?? undefined;
    const [limit, word] = "most" in bound ? [bound.most, "at most"] : [bound.least, "at least"];
    const said = { ...goal, wanted: limit === 0 ? "none" : `${word} ${limit}${unit}` };
    const because = noRatio(results[part]?.sides?.[key] ?? []);
    if (because !== undefined) return { ...said, measured: undefined, verdict: "no ratio", because };
    if (figure === undefined) return { ...said, measured: undefined, verdict: "not measured", because };
    const isMet = "most" in bound ? figure <= limit : figure >= limit;
    const measured = `${figure.toFixed(digits)}${unit}`;
    return { ...said, measured, verdict: isMet ? "met" : "missed", because };
  });
}
