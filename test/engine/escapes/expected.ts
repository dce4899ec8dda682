// Flows that helpers of connection tracking expect: TFTP and SIP here, FTP in test/kernel/flows/flow-states.test.ts. The host
// gives such flows their helper, as an administrator does (stage.ts).

import type { Row, Section } from "./table.ts";

/** An ally's address, where the container's own is seen by the ally, and the container's own. */
const families = [
  ["", "ally", "host", "own()"],
  ["IPv6: ", "ally6", "seen6()", "own6()"],
] as const;

/** What is allowed goes from a port by which nothing is known, and media to another that nobody else has. */
const ports = "p = sport + 8000; rtp = 32000 + 4 * (sport % 8000)\n";
const tftp = (ally: string): string =>
  `${ports}udp(${ally}, 69, sport=p, data=b'\\0\\1file\\0octet\\0'); time.sleep(0.2)\n`;
const invite = (ally: string, own: string): string =>
  `${ports}udp(${ally}, 5060, sport=p, data=sip_invite(${own}, ${ally}, p, rtp)); time.sleep(0.2)\n`;
/** A packet of the ally's. */
const said = (ally: string, seen: string, [from, to]: readonly [string, string], text = "token"): string =>
  `ip(${ally}, ${seen}, 17, udp_segment(${ally}, ${seen}, ${to}, ${from}, ${text}))`;
/** Of TFTP's data: the host's errors quote what it gets, and must not be taken for the container's. */
const unmarked = "b'\\0\\3\\0\\1'";
/** What the ally says to an INVITE, and where it wants to hear. */
const agreed = (ally: string, seen: string): string =>
  said(ally, seen, ["5060", "p"], `sip_agreed(${ally}, sip_invite(${seen}, ${ally}, p, rtp), rtp + 2)`);

export const expected: Section = {
  title: "What a helper of connection tracking expects",
  rows: families.flatMap(([prefix, ally, seen, own]): Row[] => [
    {
      name: `${prefix}TFTP to an allowed port: the server's answer from another port`,
      attempt: `${tftp(ally)}comes(${said(ally, seen, ["34567", "p"])})`,
      seen: ["reply"],
    },
    {
      name: `${prefix}TFTP to an allowed port: what acknowledges that answer`,
      attempt: `${tftp(ally)}far(${said(ally, seen, ["34567", "p"], unmarked)})\ntime.sleep(0.3); udp(${ally}, 34567, sport=p)`,
      seen: ["wire"],
    },
    {
      name: `${prefix}SIP to an allowed port: media to the port that it named`,
      attempt: `${invite(ally, own)}comes(${said(ally, seen, ["34567", "rtp"])})`,
      seen: ["reply"],
    },
    {
      name: `${prefix}SIP to an allowed port: media to the port that the server named`,
      attempt: `${invite(ally, own)}far(${agreed(ally, seen)})\ntime.sleep(0.3); udp(${ally}, rtp + 2, sport=rtp)`,
      seen: ["wire"],
    },
  ]),
};
