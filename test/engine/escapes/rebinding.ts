// Names that are allowed, and that lead inside when they are asked for again.

import type { Observer, Row, Section } from "./table.ts";

const inside = [
  ["a private address", "10.99.0.1", "udp('10.99.0.1', 9000)", "wire"],
  ["the metadata address", "169.254.169.254", "tcp('169.254.169.254', 80)", "wire"],
  ["the network's gateway", "gw", "tcp(gw, 8099)", "host"],
  ["the host's address on the uplink", "host", "tcp(host, 8099)", "host"],
  ["the host's IPv6 address on the uplink", "host6", "tcp(host6, 8099)", "host"],
  ["a container on an open network", "vplain", "tcp(vplain, 8000)", "plain"],
  ["a container on an open network, by IPv6", "vplain6", "tcp(vplain6, 8000)", "plain"],
  ["a container on another guarded network", "vother", "tcp(vother, 8000)", "other"],
] as const satisfies readonly (readonly [string, string, string, Observer])[];

export const rebound: Section = {
  title: "An allowed name with a TTL of 0, whose second answer leads inside",
  rows: inside.flatMap(([name, address, attempt, seen]): Row[] => {
    const led = /^\d/.test(address) ? `'${address}'` : address;
    // The list opens a port of the host, so a name may lead there: the answer has the address, and nothing opens by it.
    const answered: Partial<Row> = seen === "host" ? { guarded: "open" } : {};
    const why = seen === "host" ? ", as the list has host:8097/tcp" : "";
    return [
      { name, attempt: `rebind(${led}); ${attempt}`, seen: [seen] },
      {
        name: `${name}: the answer itself${why}`,
        attempt: `if rebind(${led}): reply()`,
        seen: ["reply"],
        ...answered,
      },
    ];
  }),
};

export const keptRebound: Row = {
  name: "an allowed name with a TTL of 0, before it leads elsewhere",
  attempt: "lookup(rebound('10.99.0.1')); tcp('203.0.113.89', 9000)",
  seen: ["wire"],
  guarded: "open",
};
