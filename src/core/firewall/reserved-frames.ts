// Which frames carry no IP but by an attacker's hand: those to a MAC of the group that IEEE 802.1Q reserves for the
// protocols of bridges themselves (clause 8.6.3). What drops them, as values, and as text for nft(8).

import { framesTable } from "./names.ts";

/** 01:80:C2:00:00:00 to 01:80:C2:00:00:0F, by its first bits. */
export const reservedGroup = { mac: "01:80:c2:00:00:00", bits: 44 } as const;

/** The chain that drops them, before fragments are put together (-400), which would keep those that come first. */
export const reservedChain = { name: "reserved", hook: "prerouting", priority: -450 } as const;

/** The lines of a file for `nft --file` that make the table with its chain, where it is not there. */
export function renderReservedFrames(): readonly string[] {
  const { name, hook, priority } = reservedChain;
  return [
    `table ${framesTable.family} ${framesTable.name} {`,
    `chain ${name} {`,
    `type filter hook ${hook} priority ${priority};`,
    `meta iiftype ether ether daddr & ff:ff:ff:ff:ff:f0 == ${reservedGroup.mac} drop`,
    "}",
    "}",
  ];
}
