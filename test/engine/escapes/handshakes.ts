// Connections that are opened from both ends, to an address that is denied.

import type { Row, Section } from "./table.ts";

const families = [
  ["", "own()", "far_address", "[host, own()]"],
  ["IPv6: ", "own6()", "far6", "[seen6(), own6()]"],
] as const;

function opened([prefix, own, far, seenAs]: (typeof families)[number]): Row[] {
  const say = (flags: number): string =>
    `raw_any(6, ${far}, tcp_between(${own}, ${far}, sport + 8000, 4433, ${flags}), ${own})`;
  // To wherever the far end sees the container. Known by their texts only: the host answers from that port, too.
  const hear = (...flags: number[]): string =>
    `[ip(${far}, a, 6, tcp_between(${far}, a, 4433, sport + 8000, f)) for a in ${seenAs} for f in (${flags.join(", ")},)]`;
  return (
    [
      ["simultaneous open", [2], [18, 16]],
      ["split handshake", [16, 2], [18, 16]],
      ["the far end first", [2], [18]],
    ] as const
  ).flatMap(([name, theirs, then]): Row[] => {
    const begin = name === "the far end first" ? "" : `${say(2)}\n`;
    const end = then.map(say).join("\n");
    return [
      {
        name: `${prefix}TCP, ${name}: what the container says`,
        attempt: `${begin}far(*${hear(...theirs)})\ntime.sleep(0.3)\n${end}`,
        seen: ["wire"],
      },
      {
        name: `${prefix}TCP, ${name}: what the far end says`,
        attempt: `${begin}comes(*${hear(...theirs)})\n${end}`,
        seen: ["reply"],
      },
    ];
  });
}

export const handshakes: Section = {
  title: "Opened from both ends, to an address that is denied",
  rows: families.flatMap(opened),
};
