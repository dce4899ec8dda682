// Flows that began where nobody judges them: connection tracking knows them by addresses alone, so a frame that stays on a
// bridge, and a packet under a forged source, make one for whoever has these addresses.

import type { Row, Section } from "./table.ts";

interface Words {
  readonly family: string;
  readonly frame: "frame4" | "frame6";
  readonly ip: "ip4" | "ip6";
  readonly own: string;
  readonly neighbour: string;
  readonly far: string;
  /** An error from and to, about what is quoted. */
  readonly error: (from: string, to: string, quoted: string) => string;
}

const families: readonly Words[] = [
  {
    family: "",
    frame: "frame4",
    ip: "ip4",
    own: "own()",
    neighbour: "neighbour",
    far: "far_address",
    error: (from, to, quoted) => `frame4(${from}, ${to}, 1, icmp4(3, 1, bytes(4) + ${quoted}))`,
  },
  {
    family: ", IPv6",
    frame: "frame6",
    ip: "ip6",
    own: "own6()",
    neighbour: "neighbour6",
    far: "far6",
    error: (from, to, quoted) => `frame6(${from}, ${to}, 58, icmp6(${from}, ${to}, 1, bytes(4) + ${quoted}))`,
  },
];

function rowsOf({ family, frame, ip, own, neighbour, far, error }: Words): Row[] {
  const begun = (as: string, by: string): string =>
    `${frame}(${as}, ${far}, 17, udp_segment(${as}, ${far}, data=b'begins')${by})`;
  const answer = (to: string): string => `${ip}(${far}, ${to}, 17, udp_segment(${far}, ${to}, sport, 9000))`;
  return [
    {
      name: `out: an error about a frame that went to a neighbour${family}`,
      attempt: `${begun(own, ", dst=victimmac")}\n${error(own, far, answer(own))}`,
      seen: ["wire"],
    },
    {
      name: `in: an answer to a frame that went to a neighbour${family}`,
      attempt: `${begun(own, ", dst=victimmac")}\ncomes(${answer(own)})`,
      seen: ["reply"],
    },
    {
      name: `in: an answer to a frame on an open network under a guarded address${family}`,
      attempt: `${begun(neighbour, ", dst=plainmac")}\nfar(${answer(neighbour)})`,
      from: "free",
      seen: ["neighbour"],
    },
    {
      name: `in: an answer to what was sent out of an open network under a guarded address${family}`,
      attempt: `${begun(neighbour, "")}\nfar(${answer(neighbour)})`,
      from: "free",
      seen: ["neighbour"],
    },
  ];
}

export const elsewhere: Section = {
  title: "By a flow that began where nobody judges it",
  rows: families.flatMap(rowsOf),
};
