// What lookups.ts asks of every server, and which answers are right.

/**
 * What is asked. Each answer of `own.example` has an address that none before had. New names come last: dnsdist remembers
 * nothing more when its cache is full of them.
 */
export const loads = [
  { key: "cached", name: "cached, 1,000 names", window: 100, suffix: "bench.example", mode: "cached" },
  { key: "cached1", name: "cached, one at a time", window: 1, suffix: "bench.example", mode: "cached" },
  { key: "denied", name: "denied, 1,000 names", window: 100, suffix: "denied.example", mode: "cached" },
  { key: "gone", name: "NXDOMAIN, 1,000 names again", window: 100, suffix: "bench.example", mode: "gone" },
  {
    key: "fresh",
    name: "not cached, an address of its own",
    window: 100,
    suffix: "own.example",
    mode: "fresh",
  },
  { key: "known", name: "not cached, 4,096 addresses", window: 100, suffix: "bench.example", mode: "fresh" },
  { key: "fresh1", name: "not cached, one at a time", window: 1, suffix: "bench.example", mode: "fresh" },
  { key: "missing", name: "NXDOMAIN, not cached", window: 100, suffix: "bench.example", mode: "missing" },
] as const;
export type Load = (typeof loads)[number];

/** Whether each of its names is asked for once only. */
export const isNew = ({ mode }: Load): boolean => mode === "fresh" || mode === "missing";

/** Which of all answers are right. */
export const rightOf = (key: Load["key"]): "nxDomain" | "addressed" =>
  key === "denied" || key === "missing" || key === "gone" ? "nxDomain" : "addressed";
