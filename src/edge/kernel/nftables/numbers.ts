// The numbers of nftables' messages and attributes.
// @see include/uapi/linux/netfilter/nf_tables.h, include/uapi/linux/netfilter/nfnetlink.h

import { AF_INET, AF_INET6 } from "../libc.ts";

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;

/** NFT_MSG_… */
export const messages = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  newElement: 12,
  deleteElement: 14,
} as const;

/** NFTA_TABLE_…, NFTA_CHAIN_…, NFTA_HOOK_…, NFTA_RULE_…, NFTA_EXPR_…, NFTA_DATA_…, NFTA_VERDICT_… */
export const table = { name: 1, flags: 2, number: 4 } as const;
export const chain = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
export const hook = { number: 1, priority: 2, device: 3, devices: 4 } as const;
export const rule = { table: 1, chain: 2, number: 3, expressions: 4, userData: 7 } as const;
export const expression = { name: 1, data: 2 } as const;
export const datum = { value: 1, verdict: 2 } as const;
export const verdictOf = { code: 1, chain: 2 } as const;
/** NFTA_SET_…, NFTA_SET_ELEM_LIST_…, NFTA_SET_ELEM_… */
export const set = { table: 1, name: 2, flags: 3, keyType: 4, keyLength: 5, id: 10, userData: 13 } as const;
export const elements = { table: 1, set: 2, list: 3 } as const;
export const element = { key: 1, timeout: 4 } as const;
/** NFT_SET_TIMEOUT */
export const SET_TIMEOUT = 0x10;
/** NFTA_IMMEDIATE_… */
export const immediateOf = { register: 1, data: 2 } as const;
/** NFTA_PAYLOAD_…, NFTA_CMP_… */
export const payload = { register: 1, base: 2, offset: 3, length: 4 } as const;
export const payloadSet = { register: 5 } as const;
export const compare = { register: 1, operation: 2, data: 3 } as const;
/** NFT_PAYLOAD_LL_HEADER, NFT_PAYLOAD_NETWORK_HEADER */
export const PAYLOAD_LINK = 0;
export const PAYLOAD_NETWORK = 1;
/** NFT_CMP_EQ */
export const COMPARE_EQUAL = 0;
/** Where an address lies in the header of the network. */
export const addressAt = {
  ipSource: 12,
  ipDestination: 16,
  ip6Source: 8,
  arpSender: 14,
  arpTarget: 24,
  ip6Destination: 24,
} as const;
/** What a frame carries (include/uapi/linux/if_ether.h). */
export const etherTypes = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd } as const;
/** NFTA_LIST_ELEM */
export const LIST_ELEMENT = 1;

/** NF_DROP, NF_ACCEPT */
export const verdicts = { drop: 0, accept: 1 } as const;

/** Those of a device are counted apart (include/uapi/linux/netfilter.h). */
export const hookNumbers = { prerouting: 0, input: 1, output: 3, ingress: 0, egress: 1 } as const;

/** struct nfgenmsg in front of the attributes. */
export const GENERIC_HEADER = 4;

/** include/uapi/linux/netfilter.h: both families in one table, what passes a device, and what passes a bridge. */
const NFPROTO_INET = 1;
const NFPROTO_NETDEV = 5;
const NFPROTO_BRIDGE = 7;
export const protocols = {
  ip: AF_INET,
  ip6: AF_INET6,
  inet: NFPROTO_INET,
  netdev: NFPROTO_NETDEV,
  bridge: NFPROTO_BRIDGE,
} as const;

/** A table, in its family. */
export interface NftTable {
  readonly family: keyof typeof protocols;
  readonly name: string;
}
