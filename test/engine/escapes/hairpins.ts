// Published ports of the very host that a container is on, its own among them.

import type { Row, Section } from "./table.ts";

const back: readonly Row[] = (
  [
    ["the host's address", "host"],
    ["its own gateway", "gw"],
    ["the host's IPv6 address", "host6"],
    ["its own gateway's IPv6 address", "gw6"],
  ] as const
).flatMap(([name, address]): Row[] => [
  {
    name: `a port that it publishes itself, by ${name}, TCP`,
    from: "published",
    attempt: `tcp(${address}, 8092)`,
    seen: ["host", "published"],
  },
  {
    name: `a port that a container of another guarded network publishes, by ${name}, UDP`,
    attempt: `udp(${address}, 8093)`,
    seen: ["other", "host"],
  },
  {
    name: `the same, by ${name}, from one that publishes itself`,
    from: "published",
    attempt: `udp(${address}, 8093)`,
    seen: ["other", "host"],
  },
]);

export const hairpins: Section = { title: "By a published port of its own host", rows: back };
