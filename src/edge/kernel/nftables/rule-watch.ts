// Reports at once when rules near ours change. The nft backend announces every change by netlink; the legacy one
// announces nothing, so only a timer looks at it.

import { contain } from "../../../core/contain.ts";
import { eachAttribute, readText } from "../netlink/message.ts";
import { NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";
import type { Readiness } from "../readiness.ts";

/** NFNLGRP_NFTABLES, linux/netfilter/nfnetlink.h: group 7 as a bit mask. */
const NFTABLES_GROUP = 1 << 6;
const NFNL_SUBSYS_NFTABLES = 10;
/** struct nfgenmsg in front of the attributes. */
const GENERIC_HEADER = 4;
/** linux/netfilter/nf_tables.h: message numbers, and where each says its table and its chain. */
const messages: Readonly<Record<number, { readonly table: number; readonly chain: number | undefined }>> = {
  0: { table: 1, chain: undefined }, // NEWTABLE, and one whose flags have changed
  2: { table: 1, chain: undefined }, // DELTABLE
  3: { table: 1, chain: 3 }, // NEWCHAIN
  5: { table: 1, chain: 3 }, // DELCHAIN
  6: { table: 1, chain: 2 }, // NEWRULE
  8: { table: 1, chain: 2 }, // DELRULE
};

export interface RuleWatchOptions {
  readonly readiness: Readiness;
  /** Whether a change in this chain is worth a look; `chain` is undefined when it is a whole table. */
  readonly concerns: (table: string, chain: string | undefined) => boolean;
  readonly onChange: () => void;
  /** Called with why what the kernel told could not be read: something may have changed. The watch goes on. */
  readonly onFailure: (error: unknown) => void;
}

/** Watches until the process ends. @throws DockerwallError NO_PRIVILEGE, KERNEL_REFUSED */
export function watchRules({ readiness, concerns, onChange, onFailure }: RuleWatchOptions): void {
  const socket = openNetlink(NETLINK_NETFILTER, "changes of the rules", NFTABLES_GROUP);
  const look = (): void => {
    let concerned = false;
    const overflows = socket.receive(({ type, view, start, end }) => {
      const places = type >> 8 === NFNL_SUBSYS_NFTABLES ? messages[type & 0xff] : undefined;
      if (places === undefined || concerned) return;
      let table = "";
      let chain: string | undefined;
      eachAttribute(view, start + GENERIC_HEADER, end, (attribute, from, to) => {
        if (attribute === places.table) table = readText(view, from, to);
        else if (attribute === places.chain) chain = readText(view, from, to);
      });
      concerned = concerns(table, chain);
    });
    if (concerned || overflows > 0) onChange();
  };
  readiness.watch(socket.fd, () => contain(look, onFailure));
}
