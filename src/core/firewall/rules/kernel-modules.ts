// Which kernel module each part of a rule needs: error messages name it as the argument of `modprobe`.

import type { Family } from "../../model/address.ts";
import type { SetType } from "../sets.ts";
import type { Match } from "./match.ts";
import type { Target } from "./target.ts";

/** Undefined for what every table can do by itself. */
const ofMatches: Readonly<Record<Match["kind"], string | undefined>> = {
  source: undefined,
  destination: undefined,
  "in-interface": undefined,
  protocol: undefined,
  port: "xt_tcpudp",
  // An alias: it is a part of xt_tcpudp since Linux 6.4, and of ip6_tables before.
  "icmpv6-type": "ip6t_icmp6",
  set: "xt_set",
  mark: "xt_mark",
  connmark: "xt_connmark",
  conntrack: "xt_conntrack",
  "local-destination": "xt_addrtype",
  hashlimit: "xt_hashlimit",
  connlimit: "xt_connlimit",
  owner: "xt_owner",
  "hop-limit": "xt_hl",
  cgroup: "xt_cgroup",
};

export const commentModule = "xt_comment";

export function moduleOfMatch({ kind }: Match): string | undefined {
  return ofMatches[kind];
}

export function moduleOfTarget({ kind }: Target, family: Family): string | undefined {
  switch (kind) {
    case "accept":
    case "drop":
    case "return":
    case "jump":
    case "goto":
      return undefined;
    case "reject":
      return family === 4 ? "ipt_REJECT" : "ip6t_REJECT";
    case "set-mark":
    case "clear-whole-mark":
      return "xt_mark";
    case "set-connmark":
      return "xt_connmark";
    case "add-to-set":
      return "xt_set";
    case "queue":
      return "xt_NFQUEUE";
    case "notrack":
      return "xt_CT";
    case "redirect":
      return "xt_REDIRECT";
  }
}

export function moduleOfSet(type: SetType): string {
  return `ip_set_${type.replaceAll(":", "_").replaceAll(",", "")}`;
}
