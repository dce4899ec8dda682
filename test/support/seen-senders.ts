// What comes in by the ports of a namespace's bridges marked as seen from its sender, counted by the address that it is
// from: the kernels of the senders send reports and solicitations of their own at any time.

import { senderMark } from "../../src/core/firewall/names.ts";
import { familyOf, type IpAddress } from "../../src/core/model/address.ts";
import { icmp6Frame, udpFrame, type Wire } from "./frames.ts";
import { run } from "./namespace.ts";

export interface SeenSenders {
  /** How many packets have come from there since it was first asked about; reports and solicitations do not count. */
  readonly from: (address: string) => number;
  /** Whether a packet from there that is put on the wire comes in by its port, as its own. */
  readonly passes: (wire: Wire, address: string) => boolean;
  readonly close: () => void;
}

export function watchSenders(): SeenSenders {
  run(
    "nft",
    `add table inet seen
     add chain inet seen in { type filter hook prerouting priority -400; }
     add rule inet seen in icmpv6 type { 131, 132, 133, 135, 143 } accept`,
  );
  const watched = new Set<string>();
  function from(address: string): number {
    const source = `${familyOf(address as IpAddress) === 4 ? "ip" : "ip6"} saddr ${address} `;
    if (!watched.has(address)) {
      watched.add(address);
      const mark = `0x${senderMark.toString(16)}`;
      run("nft", `add rule inet seen in ${source}meta mark & ${mark} == ${mark} counter`);
      return 0;
    }
    const line = run("nft", "list", "chain", "inet", "seen", "in")
      .split("\n")
      .find((each) => each.includes(source));
    return Number(/packets (\d+)/.exec(line ?? "")?.[1]);
  }
  return {
    from,
    passes(wire, address) {
      const before = from(address);
      wire.send(
        address.startsWith("fe80")
          ? icmp6Frame(128, address)
          : udpFrame(address, address.includes(":") ? "ff02::1" : "198.19.1.1", 9),
      );
      return from(address) > before;
    },
    close: () => void run("nft", "delete", "table", "inet", "seen"),
  };
}
