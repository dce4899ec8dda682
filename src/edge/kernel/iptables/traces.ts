// Whether a rule of ours may be in a variant, told without running a program: none is there without a chain of ours.

import { readFileSync } from "node:fs";
import { ownPrefix } from "../../../core/firewall/rules/observed.ts";
import type { Family } from "../../../core/model/address.ts";
import { NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";
import { readChain } from "../nftables/read.ts";
import { writeGetChains } from "../nftables/write.ts";
import { systemCode } from "../system-error.ts";

/** The tables that there are in our network namespace, a line each; no file before the kernel has any. */
const legacyTables: Readonly<Record<Family, string>> = {
  4: "/proc/self/net/ip_tables_names",
  6: "/proc/self/net/ip6_tables_names",
};

/** The chains of the legacy variant cannot be told without its programs; on hosts of today it has no table at all. */
export function mayBeInLegacy(family: Family): boolean {
  try {
    return readFileSync(legacyTables[family], "utf8").trim() !== "";
  } catch (error) {
    return systemCode(error) !== "ENOENT";
  }
}

export function mayBeInNft(family: Family): boolean {
  const socket = openNetlink(NETLINK_NETFILTER, "the chains of iptables");
  let found = false;
  try {
    writeGetChains(socket.writer.reset(), { family: family === 4 ? "ip" : "ip6" });
    socket.dump(
      "the chains of iptables",
      () => {
        found = false;
      },
      (message) => {
        found ||= readChain(message).name.startsWith(ownPrefix);
      },
    );
    return found;
  } catch {
    // The programs tell, or say what is wrong.
    return true;
  } finally {
    socket.closeLater();
  }
}
