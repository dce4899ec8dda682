// The table that replaces what a kernel before 5.16 cannot do at a port:
//
//   cut  Nothing comes in or goes out except by loopback, and by what an engine announces of an address that it gives.
//        Frames that are put on a wire by hand bypass it.

import { cutTable } from "../../../core/firewall/names.ts";
import { announcement } from "../../kernel/nftables/expressions/discovery.ts";
import { inputInterface, ipv6, outputInterface } from "../../kernel/nftables/expressions/meta.ts";
import { verdict } from "../../kernel/nftables/expressions/statements.ts";
import { writeNewChain, writeNewRule } from "../../kernel/nftables/write.ts";
import { LOOPBACK_INDEX } from "../sockets.ts";
import { FIRST, isOursThere, removeOurs, replaceTable, type TableOwner } from "./own-tables.ts";

/** Cuts the namespace of the calling thread off, or no longer. */
export function cutInside(cut: boolean, owner?: TableOwner): void {
  if (!cut) {
    removeOurs([cutTable], owner);
    return;
  }
  replaceTable(cutTable, owner, ({ writer }) => {
    for (const hook of ["input", "output"] as const) {
      writeNewChain(writer, { table: cutTable, name: hook, type: "filter", hook, priority: FIRST });
      const loopback = hook === "input" ? inputInterface(LOOPBACK_INDEX) : outputInterface(LOOPBACK_INDEX);
      writeNewRule(writer, cutTable, hook, [loopback, verdict("accept")]);
      // As in the hold: a container in quarantine must start. It gets as far as the port, where that is cut.
      if (hook === "output")
        writeNewRule(writer, cutTable, hook, [ipv6(), ...announcement(), verdict("accept")]);
      writeNewRule(writer, cutTable, hook, [verdict("drop")]);
    }
  });
}

/** Whether the namespace of the calling thread is cut off, read from the kernel. */
export function isCutInside(owner?: TableOwner): boolean {
  return isOursThere(cutTable, owner);
}
