// Our nft table of the host, hung on the ports of guarded containers and of those in quarantine.
//
//   guard-N     What may come in by the port with index N, and the mark of what was seen to come from its sender.
//   cut-N       Nothing comes in.
//   cut-out-N   Nothing goes out: no neighbour reaches it either.
//
// Chains hang on a device by its name. Where a device is gone its chain may stay, and hang on the next one of that name:
// so each rule asks for the index too, and the chain is taken away when its port is.
//
// The table outlives us: while the daemon is dead, a port that comes has no chain, so nothing that it sends is marked,
// and a guarded bridge takes nothing without the mark. Kernels from 6.9 on keep it from everybody's hands but ours.

import { portTable } from "../../../core/firewall/names.ts";
import type { PortGuard } from "../../../core/firewall/port-guard.ts";
import { messageOf } from "../../../errors.ts";
import { NETLINK_NETFILTER, NetlinkError, type NetlinkSocket, openNetlink } from "../netlink/socket.ts";
import { withNewNamespace } from "../netns.ts";
import { type Expression, inputInterface, outputInterface, verdict } from "./expressions.ts";
import { renderPortRules } from "./port-rules.ts";
import { readChain, readRulePlace } from "./read.ts";
import { isTableThere, removeTables } from "./tables.ts";
import {
  tableFlags,
  writeBatch,
  writeDeleteChain,
  writeFlushChain,
  writeGetChains,
  writeGetRules,
  writeNewChain,
  writeNewRule,
  writeNewTable,
} from "./write.ts";

/** Of the message that makes the table, in a batch. */
const tableIndex = 1;
const ours = "the table of the host's ports";
/** Before whatever else may hang there. */
const FIRST = -500;

/** A port, by its index and the name of the device. */
export interface PortDevice {
  readonly index: number;
  readonly name: string;
}

export interface PortTable {
  /** What may come in by a port, in place of what was so before, in one step; in force on return. */
  guard(port: PortDevice, guard: PortGuard): void;
  /** Lets everything in. */
  open(index: number): void;
  /** Nothing comes in or goes out, or no longer so. @returns false where the kernel cuts one way only (before 5.16) */
  cut(port: PortDevice, cutOff: boolean): boolean;
  /** Whether a port is cut both ways, read from the kernel. */
  isCut(index: number): boolean;
  /** Forgets the ports that are no more. */
  retain(isPresent: (index: number) => boolean): void;
  /** Puts back what somebody took away; nothing to do where the kernel keeps it from them. */
  heal(): void;
  /** Takes the table away. */
  remove(): void;
  close(): void;
}

const kinds = ["guard", "cut", "cut-out"] as const;
type ChainKind = (typeof kinds)[number];

interface Chain {
  readonly kind: ChainKind;
  readonly port: PortDevice;
  readonly rules: readonly (readonly Expression[])[];
  /** Two chains of one text are one. */
  readonly text: string;
}

/** A chain that is in the kernel. */
interface FoundChain {
  /** That it hangs on; undefined where that is gone. */
  readonly device: string | undefined;
  /** Undefined where an earlier run has put it there. */
  readonly chain: Chain | undefined;
}

const chainName = (kind: ChainKind, index: number): string => `${kind}-${index}`;
const nameOf = ({ kind, port }: Chain): string => chainName(kind, port.index);

/**
 * Takes over the table that an earlier run left in the namespace of the calling thread.
 * @param keeping whether the kernel is to keep others from it, where it can
 */
export function openPortTable(keeping: "ours" | "anybody's" = "ours"): PortTable {
  const socket = openNetlink(NETLINK_NETFILTER, ours);
  let present = listChains(socket);
  let flags: number = keeping === "ours" ? tableFlags.owned | tableFlags.persistent : tableFlags.none;
  let egress = true;

  function write(what: string, content: () => void): void {
    const attempt = (): void => {
      writeBatch(socket.writer.reset(), () => {
        writeNewTable(socket.writer, portTable, flags);
        content();
      });
      socket.request(what);
    };
    try {
      attempt();
    } catch (error) {
      // Before Linux 6.9, or where an earlier run could not own it.
      if (flags === tableFlags.none || !(error instanceof NetlinkError) || error.index !== tableIndex)
        throw error;
      flags = tableFlags.none;
      attempt();
    }
  }

  /** Where the kernel has another table than we thought, it is looked at and tried once more. */
  function insist(attempt: () => void): void {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code === "KERNEL_UNSUPPORTED") throw error;
      look();
      attempt();
    }
  }

  function look(): void {
    const before = present;
    present = listChains(socket);
    for (const [name, { device }] of present) {
      const chain = before.get(name)?.chain;
      if (device !== undefined && device === chain?.port.name) present.set(name, { device, chain });
    }
  }

  function writeChain(chain: Chain): void {
    const { kind, port, rules } = chain;
    const name = nameOf(chain);
    const there = present.get(name);
    if (there !== undefined) writeFlushChain(socket.writer, portTable, name);
    if (there !== undefined && there.device !== port.name) writeDeleteChain(socket.writer, portTable, name);
    if (there?.device !== port.name) {
      writeNewChain(socket.writer, {
        table: portTable,
        name,
        type: "filter",
        hook: kind === "cut-out" ? "egress" : "ingress",
        priority: kind === "cut" ? FIRST - 1 : FIRST,
        device: port.name,
      });
    }
    for (const rule of rules) writeNewRule(socket.writer, portTable, name, rule);
  }

  /** In one step. */
  function put(chains: readonly Chain[]): void {
    const fresh = chains.filter((chain) => present.get(nameOf(chain))?.chain?.text !== chain.text);
    if (fresh.length === 0) return;
    insist(() => write("the chains of a port", () => fresh.forEach(writeChain)));
    for (const chain of fresh) present.set(nameOf(chain), { device: chain.port.name, chain });
  }

  function take(names: readonly string[]): void {
    insist(() => {
      const there = names.filter((name) => present.has(name));
      if (there.length === 0) return;
      write("to remove the chains of a port", () => {
        for (const name of there) {
          writeFlushChain(socket.writer, portTable, name);
          writeDeleteChain(socket.writer, portTable, name);
        }
      });
      for (const name of there) present.delete(name);
    });
  }

  function chainsWithRules(): Set<string> {
    const names = new Set<string>();
    writeGetRules(socket.writer.reset(), portTable);
    socket.dump(
      "the rules of the host's ports",
      () => names.clear(),
      (message) => names.add(readRulePlace(message).chain),
    );
    return names;
  }

  // By itself: the kernel makes no chain in the same step in which a table changes hands.
  if (isTableThere(socket, portTable, ours)) write(`to take over ${ours}`, () => undefined);

  return {
    guard(port, guard) {
      const rules = renderPortRules(port.index, guard);
      put([{ kind: "guard", port, rules, text: JSON.stringify([port, guard]) }]);
    },
    open: (index) => take([chainName("guard", index)]),
    cut(port, cutOff) {
      if (!cutOff) {
        take([chainName("cut", port.index), chainName("cut-out", port.index)]);
        return egress;
      }
      const text = JSON.stringify(port);
      const inward: Chain = {
        kind: "cut",
        port,
        rules: [[inputInterface(port.index), verdict("drop")]],
        text,
      };
      const outward: Chain = {
        kind: "cut-out",
        port,
        rules: [[outputInterface(port.index), verdict("drop")]],
        text,
      };
      try {
        put(egress ? [inward, outward] : [inward]);
      } catch (error) {
        // Before Linux 5.16 there is no way to hang on what goes out.
        if (!egress || !(error instanceof NetlinkError) || error.code !== "KERNEL_UNSUPPORTED") throw error;
        egress = false;
        put([inward]);
      }
      return egress;
    },
    isCut(index) {
      const chains = listChains(socket);
      const filled = chainsWithRules();
      return (["cut", "cut-out"] as const).every((kind) => {
        const name = chainName(kind, index);
        return chains.get(name)?.device !== undefined && filled.has(name);
      });
    },
    retain(isPresent) {
      take([...present.keys()].filter((name) => !isPresent(Number(name.slice(name.lastIndexOf("-") + 1)))));
    },
    heal() {
      if (flags !== tableFlags.none) return;
      const wanted = [...present.values()].flatMap(({ chain }) => chain ?? []);
      look();
      const filled = chainsWithRules();
      for (const [name, { device }] of present)
        if (!filled.has(name)) present.set(name, { device, chain: undefined });
      put(wanted);
    },
    remove() {
      present.clear();
      removeTables(socket, [portTable], ours);
    },
    close: () => socket.close(),
  };
}

function listChains(socket: NetlinkSocket): Map<string, FoundChain> {
  const chains = new Map<string, FoundChain>();
  writeGetChains(socket.writer.reset(), portTable);
  socket.dump(
    "the chains of the host's ports",
    () => chains.clear(),
    (message) => {
      const { table, name, device } = readChain(message);
      if (table === portTable.name) chains.set(name, { device, chain: undefined });
    },
  );
  return chains;
}

/** Whether an earlier run has left its table in the namespace of the calling thread. */
export function hasPortTable(): boolean {
  return withSocket((socket) => isTableThere(socket, portTable, ours));
}

/** Takes the table away; none there is no error. */
export function removePortTable(): void {
  withSocket((socket) => removeTables(socket, [portTable], ours));
}

/** Tries such a table in a namespace of its own. @returns why this kernel has none; undefined when it has */
export function probePortTable(): string | undefined {
  try {
    withNewNamespace(() => {
      const table = openPortTable();
      try {
        const nobody = { senders: [], neighbourhood: [], linkLocal: [], linkLocalMay: "judged" } as const;
        table.guard({ index: 1, name: "lo" }, nobody);
      } finally {
        table.close();
      }
    });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function withSocket<T>(work: (socket: NetlinkSocket) => T): T {
  const socket = openNetlink(NETLINK_NETFILTER, ours);
  try {
    return work(socket);
  } finally {
    socket.closeLater();
  }
}
