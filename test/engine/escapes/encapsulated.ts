// Packets in packets, by devices of the container's own where the kernel has such, and by hand otherwise: what a device
// for GRE, IP in IP or ipvlan sends is the same on the wire, and kernels that have none must not leave a row out.

import type { Observer, Row, Section } from "./table.ts";

const places = [
  ["to the internet", "to", "to6", "wire"],
  ["to the host", "gw", "gw6", "host"],
  ["to a container on an open network", "vplain", "vplain6", "plain"],
] as const;

/** Ways from one address to another, of IPv4 and of IPv6. */
const ways = [
  ["GRETAP", "raw(47, TO, gretap(own(), TO))", "raw6(47, TO, gretap(own(), TO))"],
  [
    "IP in IP",
    "raw(4, TO, ip4(own(), TO, 17, udp_segment(own(), TO)))",
    "raw6(4, TO, ip4(own(), to, 17, udp_segment(own(), to)))",
  ],
  [
    "IPv6 in IP",
    "raw(41, TO, ip6(own6(), to6, 17, udp_segment(own6(), to6)))",
    "raw6(41, TO, ip6(own6(), TO, 17, udp_segment(own6(), TO)))",
  ],
] as const;

const vxlan = (to: string): string => `vxlan(own(), ${to})`;
const vxlan6 = (to: string): string => `vxlan(own6(), ${to})`;

const rowsOf = (name: string, attempt: string, seen: Observer): Row => ({ name, attempt, seen: [seen] });
/** Of a protocol without ports, only one container can have a flow to one address. */
const byOne = (row: Row): Row => ({ ...row, from: "published" });
/** One with NET_ADMIN that keeps its own address, and takes nobody's. */
const byAdmin = (row: Row): Row => ({ ...row, from: "flusher" });

export const encapsulated: Section = {
  title: "In packets of another protocol, and by devices of its own",
  rows: places.flatMap(([place, to, to6, seen]) => [
    ...ways
      .flatMap(([name, way, way6]) => [
        rowsOf(`${name}, ${place}`, way.replaceAll("TO", to), seen),
        rowsOf(`${name}, ${place}, by IPv6`, way6.replaceAll("TO", to6), seen),
      ])
      .map((row) => (seen === "plain" ? byOne(row) : row)),
    byAdmin(rowsOf(`VXLAN (NET_ADMIN), ${place}`, vxlan(to), seen)),
    byAdmin(rowsOf(`VXLAN (NET_ADMIN), ${place}, by IPv6`, vxlan6(to6), seen)),
    ...["bridge", "private", "vepa"].flatMap((mode) => [
      byAdmin(
        rowsOf(
          `its own address on a macvlan (NET_ADMIN), ${mode}, ${place}`,
          `frame4(own(), ${to}, device=macvlan('${mode}'))`,
          seen,
        ),
      ),
      byAdmin(
        rowsOf(
          `its own IPv6 address on a macvlan (NET_ADMIN), ${mode}, ${place}`,
          `frame6(own6(), ${to6}, device=macvlan('${mode}'))`,
          seen,
        ),
      ),
    ]),
    rowsOf(
      `a free address under its own MAC, as an ipvlan has it, ${place}`,
      `arp(unused, gw, src_mac=own_mac().hex(':')); frame4(unused, ${to})`,
      seen,
    ),
  ]),
};

/** A neighbour is not outside. */
export const keptEncapsulated: readonly Row[] = [
  ...ways.flatMap(([name, way, way6]) => [
    rowsOf(`a neighbour, ${name}`, way.replaceAll("TO", "neighbour"), "neighbour"),
    rowsOf(`a neighbour, ${name} by IPv6`, way6.replaceAll("TO", "neighbour6"), "neighbour"),
  ]),
  byAdmin(rowsOf("a neighbour, VXLAN (NET_ADMIN)", vxlan("neighbour"), "neighbour")),
  byAdmin(rowsOf("a neighbour, VXLAN by IPv6 (NET_ADMIN)", vxlan6("neighbour6"), "neighbour")),
].map((row) => ({ ...row, guarded: "open" }));
