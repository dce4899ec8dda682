// What a rule can match, one row for each kind: what its values hold, how iptables-save prints one, which kernel module
// has it, and in which families. A new kind is a new row; the renderer, what the entrypoint tries of the kernel, and the
// tests of both read it.

import { connectionMark, packetMarkMask } from "../names.ts";
import { type HeadFlag, inBoth, kind } from "./match-kind.ts";
import {
  check,
  type Dimensions,
  type Mark,
  markText,
  packetBits,
  prefixText,
  type SetName,
  whole,
} from "./parts.ts";

/** Each kind of match, by its name: the one place that knows it. */
export const matchKinds = {
  source: kind<{ readonly prefix: string }>({
    module: undefined,
    samples: { 4: [{ prefix: "192.0.2.0/24" }], 6: [{ prefix: "::/128" }] },
    head: ({ prefix }) => ["-s", `-s ${prefixText(prefix)}`],
  }),
  destination: kind<{ readonly prefix: string }>({
    module: undefined,
    samples: { 4: [{ prefix: "192.0.2.1/32" }], 6: [{ prefix: "2001:db8::/32" }] },
    head: ({ prefix }) => ["-d", `-d ${prefixText(prefix)}`],
  }),
  /** A name that ends in + stands for all that begin so. */
  "in-interface": kind<{ readonly name: string; readonly not?: true }>({
    module: undefined,
    samples: inBoth({ name: "br-+" }, { name: "lo", not: true }),
    head: interfaceHead("-i"),
  }),
  /** A name that ends in + stands for all that begin so. */
  "out-interface": kind<{ readonly name: string; readonly not?: true }>({
    module: undefined,
    samples: inBoth({ name: "br-+", not: true }),
    head: interfaceHead("-o"),
  }),
  protocol: kind<{ readonly protocol: "tcp" | "udp" | "icmp" | "ipv6-icmp" }>({
    module: undefined,
    samples: { 4: [{ protocol: "tcp" }, { protocol: "icmp" }], 6: [{ protocol: "ipv6-icmp" }] },
    head: ({ protocol }) => ["-p", `-p ${protocol}`],
  }),
  /** Destination port. */
  port: kind<{ readonly protocol: "tcp" | "udp"; readonly port: number }>({
    module: "xt_tcpudp",
    samples: inBoth({ protocol: "tcp", port: 53 }, { protocol: "udp", port: 53 }),
    head: ({ protocol }) => ["-p", `-p ${protocol}`],
    text: ({ protocol, port }) => `-m ${protocol} --dport ${whole(port, 1, 0xffff)}`,
  }),
  /** A SYN to a destination port, whatever connection tracking makes of it. */
  syn: kind<{ readonly port: number }>({
    module: "xt_tcpudp",
    samples: inBoth({ port: 53 }),
    head: () => ["-p", "-p tcp"],
    text: ({ port }) => `-m tcp --dport ${whole(port, 1, 0xffff)} --tcp-flags FIN,SYN,RST,ACK SYN`,
  }),
  "icmpv6-type": kind<{ readonly type: number }>({
    // An alias: it is a part of xt_tcpudp since Linux 6.4, and of ip6_tables before.
    module: "ip6t_icmp6",
    samples: { 6: [{ type: 134 }] },
    head: () => ["-p", "-p ipv6-icmp"],
    text: ({ type }) => `-m icmp6 --icmpv6-type ${whole(type, 0, 0xff)}`,
  }),
  set: kind<{ readonly set: SetName; readonly by: Dimensions; readonly not?: true }>({
    module: "xt_set",
    samples: {
      4: [
        { set: "dockerwall-quarantine4", by: "src" },
        { set: "dockerwall-guarded4", by: "src,src", not: true },
      ],
      6: [{ set: "dockerwall-grant6", by: "dst,dst,src" }],
    },
    text: (match) => `-m set ${not(match)}--match-set ${match.set} ${match.by}`,
  }),
  mark: kind<{ readonly mark: Mark; readonly not?: true }>({
    module: "xt_mark",
    samples: inBoth(
      { mark: { value: packetMarkMask, mask: packetMarkMask } },
      { mark: { value: 0, mask: packetMarkMask }, not: true },
    ),
    text: (match) => `-m mark ${not(match)}--mark ${markText(match.mark, packetBits)}`,
  }),
  /** The mark as a whole, bits of other software's among them: for one that was made as a whole by us. */
  "whole-mark": kind<{ readonly value: number; readonly not?: true }>({
    module: "xt_mark",
    samples: inBoth({ value: 0xffff_fffe }, { value: 1, not: true }),
    text: (match) => `-m mark ${not(match)}--mark 0x${whole(match.value, 1, 0xffff_ffff).toString(16)}`,
  }),
  connmark: kind<{ readonly mark: Mark }>({
    module: "xt_connmark",
    samples: inBoth(
      { mark: { value: connectionMark.admitted, mask: connectionMark.mask } },
      { mark: { value: 0, mask: connectionMark.elsewhere } },
    ),
    text: ({ mark }) => `-m connmark --mark ${markText(mark, connectionMark.mask)}`,
  }),
  conntrack: kind<Conntrack>({
    module: "xt_conntrack",
    samples: inBoth(
      { states: ["ESTABLISHED", "NEW"], confirmed: true },
      { states: ["NEW"], confirmed: false },
      { states: ["DNAT"], originalPort: 53 },
      { states: ["ESTABLISHED"], not: true, direction: "REPLY" },
    ),
    text: conntrackText,
  }),
  /** The destination is an address of the host. */
  "local-destination": kind<{ readonly not?: true }>({
    module: "xt_addrtype",
    samples: inBoth({}, { not: true }),
    text: (match) => `-m addrtype ${not(match)}--dst-type LOCAL`,
  }),
  /** It comes from an address of the host. */
  "local-source": kind<Readonly<Record<never, never>>>({
    module: "xt_addrtype",
    samples: inBoth({}),
    text: () => "-m addrtype --src-type LOCAL",
  }),
  /** What is sent to its source leaves by the interface that it came from. In PREROUTING only. */
  "reverse-path": kind<{ readonly not: true }>({
    module: { 4: "ipt_rpfilter", 6: "ip6t_rpfilter" },
    samples: inBoth({ not: true }),
    text: () => "-m rpfilter --invert",
  }),
  /** By the address of its frame. */
  "packet-type": kind<{ readonly type: "unicast"; readonly not?: true }>({
    module: "xt_pkttype",
    samples: inBoth({ type: "unicast", not: true }),
    text: (match) => `-m pkttype ${not(match)}--pkt-type ${match.type}`,
  }),
  /** Bytes with the header of IP, in a packet that the kernel has not taken apart yet of all that it stands for. */
  length: kind<{ readonly from: number; readonly to: number }>({
    module: "xt_length",
    samples: inBoth({ from: 577, to: 65_535 }),
    text: ({ from, to }) => `-m length --length ${whole(from, 0, 0xffff)}:${whole(to, from, 0xffff)}`,
  }),
  hashlimit: kind<Hashlimit>({
    module: "xt_hashlimit",
    samples: inBoth(hashlimitSample("upto"), hashlimitSample("above")),
    text: hashlimitText,
  }),
  /** More flows than these from one prefix of this length. */
  connlimit: kind<{ readonly above: number; readonly prefixLength: number }>({
    module: "xt_connlimit",
    samples: { 4: [{ above: 8192, prefixLength: 32 }], 6: [{ above: 8192, prefixLength: 128 }] },
    text: ({ above, prefixLength }) =>
      `-m connlimit --connlimit-above ${whole(above, 0, 0xffff_ffff)} --connlimit-mask ${whole(prefixLength, 0, 128)} --connlimit-saddr`,
  }),
  owner: kind<{ readonly uid: number }>({
    module: "xt_owner",
    samples: inBoth({ uid: 0 }),
    text: ({ uid }) => `-m owner --uid-owner ${whole(uid, 0, 0xffff_fffe)}`,
  }),
  "hop-limit": kind<{ readonly equals: number }>({
    module: "xt_hl",
    samples: { 6: [{ equals: 255 }] },
    text: ({ equals }) => `-m hl --hl-eq ${whole(equals, 0, 0xff)}`,
  }),
  /** Path below the root of cgroup v2. */
  cgroup: kind<{ readonly path: string }>({
    module: "xt_cgroup",
    samples: inBoth({ path: "/" }),
    text: ({ path }) => {
      check(/^[\w.@:/-]+$/.test(path), `cgroup ${path}`);
      return `-m cgroup --path ${path}`;
    },
  }),
};

type ConntrackState = "INVALID" | "NEW" | "RELATED" | "ESTABLISHED" | "UNTRACKED" | "DNAT";

interface Conntrack {
  readonly states: readonly [ConntrackState, ...ConntrackState[]];
  readonly not?: true;
  /** False: its flow has begun with this very packet. */
  readonly confirmed?: boolean;
  /** Destination port before it was translated. */
  readonly originalPort?: number;
  readonly direction?: "REPLY";
}

function conntrackText(match: Conntrack): string {
  const { states, confirmed, originalPort, direction } = match;
  // In the order in which iptables prints them.
  const order = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "DNAT"] as const;
  return [
    `-m conntrack ${not(match)}--ctstate ${order.filter((state) => states.includes(state)).join(",")}`,
    ...(confirmed === undefined ? [] : [`${confirmed ? "" : "! "}--ctstatus CONFIRMED`]),
    ...(originalPort === undefined ? [] : [`--ctorigdstport ${whole(originalPort, 1, 0xffff)}`]),
    ...(direction === undefined ? [] : [`--ctdir ${direction}`]),
  ].join(" ");
}

/** A limit for each source. */
export interface Hashlimit {
  readonly name: string;
  readonly side: "upto" | "above";
  readonly perSecond: number;
  readonly burst: number;
  readonly buckets: number;
  /** Most sources that are remembered; what comes from any other is dropped, whatever the rule says. */
  readonly sources: number;
  readonly expireMs: number;
}

function hashlimitSample(side: Hashlimit["side"]): Hashlimit {
  const name = `sample-${side}`;
  return { name, side, perSecond: 300, burst: 600, buckets: 1024, sources: 4096, expireMs: 10_000 };
}

function hashlimitText(limit: Hashlimit): string {
  const { name, side, perSecond, burst, buckets, sources, expireMs } = limit;
  check(/^[\w-]+$/.test(name), `limit ${name}`);
  for (const figure of [perSecond, burst, buckets, sources, expireMs]) whole(figure, 1, 0x7fff_ffff);
  return `-m hashlimit --hashlimit-${side} ${perSecond}/sec --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name ${name} --hashlimit-htable-size ${buckets} --hashlimit-htable-max ${sources} --hashlimit-htable-expire ${expireMs}`;
}

/** By a name, or by what names begin with. */
function interfaceHead(flag: "-i" | "-o") {
  return (match: { readonly name: string; readonly not?: true }): readonly [HeadFlag, string] => {
    check(/^[\w.-]{1,15}\+?$/.test(match.name), `interface ${match.name}`);
    return [flag, `${not(match)}${flag} ${match.name}`];
  };
}

function not({ not: negated }: { readonly not?: true }): string {
  return negated ? "! " : "";
}
