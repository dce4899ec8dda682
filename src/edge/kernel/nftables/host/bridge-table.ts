// Our nft table for the host's bridges, as a whole: it is made with all that is to be in it, and made anew where other
// software has taken it away.

import { bridgeTable, portPrefix, unsettledMark } from "../../../../core/firewall/names.ts";
import { hostBytes } from "../../netlink/message.ts";
import { isMissing } from "../../netlink/refusal.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../netlink/socket.ts";
import type { NetlinkWriter } from "../../netlink/writer.ts";
import { frameProtocolIn, inputInterfaceIn, inputNameBegins } from "../expressions/meta.ts";
import { setMarkToInput, verdict } from "../expressions/statements.ts";
import { writeAddElements, writeDeleteElements, writeFlushSet, writeNewSet } from "../sets.ts";
import { isTableThere, removeTables, TableFlags } from "../tables.ts";
import { writeBatch, writeNewChain, writeNewRule, writeNewTable } from "../write.ts";

/** Before br_netfilter (0) and the rules of ebtables. */
const FIRST = -300;
const SETTLED = "settled";
const AWAKE = "awake";
const MARK = "mark";
const protocols = [Uint8Array.of(0x08, 0x00), Uint8Array.of(0x86, 0xdd)];
/** Less can be no whole tick of the kernel's clock, and then it would take an element for one without an end. */
const shortestMs = 10;
/** What a failure is about. */
export const bridgeTableText = "the table of the host's bridges";

export class BridgeTable {
  readonly #socket = openNetlink(NETLINK_NETFILTER, bridgeTableText);
  readonly #settledNow: () => readonly number[];
  readonly #flags: TableFlags;
  /** Until when what comes from ports that are not settled is marked. */
  #awakeUntilMs = 0;

  /**
   * Makes the table in the namespace of the calling thread, in place of what an earlier run left there.
   * @param flags of the table; none where the kernel has no such flags
   * @param settledNow the ports that are to be settled in a table that is made anew
   */
  constructor(flags: number, settledNow: () => readonly number[]) {
    this.#flags = new TableFlags(flags);
    this.#settledNow = settledNow;
    this.#make();
  }

  settle(indexes: readonly number[]): void {
    this.#insist((writer) => writeAddElements(writer, elementsOf(indexes)));
  }

  unsettle(indexes: readonly number[]): void {
    this.#insist((writer) => {
      // To delete one that is not there would be refused as if there were no table.
      writeAddElements(writer, elementsOf(indexes));
      writeDeleteElements(writer, elementsOf(indexes));
    });
  }

  stayAwake(ms: number): void {
    this.#awakeUntilMs = performance.now() + ms;
    this.#insist((writer) => {
      // What is there already would keep its time.
      writeFlushSet(writer, bridgeTable, AWAKE);
      writeAwake(writer, ms);
    });
  }

  /** Puts back what other software took away; nothing to do where the kernel keeps it from them. */
  heal(): void {
    if (this.#flags.areNone && !isTableThere(this.#socket, bridgeTable, bridgeTableText)) this.#make();
  }

  /** Takes the table away. */
  close(): void {
    removeTables(this.#socket, [bridgeTable], bridgeTableText);
    this.#socket.close();
  }

  /** Where other software has taken it away it is made anew, with all that is to be in it now. */
  #insist(content: (writer: NetlinkWriter) => void): void {
    try {
      this.#write(content);
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#make();
    }
  }

  #make(): void {
    removeTables(this.#socket, [bridgeTable], bridgeTableText);
    this.#flags.attempt((flags) =>
      this.#write((writer) => {
        writeNewTable(writer, bridgeTable, flags);
        writeContent(writer, this.#settledNow());
        writeAwake(writer, Math.floor(this.#awakeUntilMs - performance.now()));
      }),
    );
  }

  #write(content: (writer: NetlinkWriter) => void): void {
    const { writer } = this.#socket;
    writeBatch(writer.reset(), () => content(writer));
    this.#socket.request(bridgeTableText);
  }
}

function writeContent(writer: NetlinkWriter, settled: readonly number[]): void {
  writeNewSet(writer, { table: bridgeTable, name: SETTLED, type: "iface_index", timeout: false }, 1);
  writeNewSet(writer, { table: bridgeTable, name: AWAKE, type: "ether_type", timeout: true }, 2);
  writeNewChain(writer, {
    table: bridgeTable,
    name: MARK,
    type: "filter",
    hook: "prerouting",
    priority: FIRST,
  });
  writeNewRule(writer, bridgeTable, MARK, [inputInterfaceIn(SETTLED), verdict("accept")]);
  writeNewRule(writer, bridgeTable, MARK, [
    frameProtocolIn(AWAKE),
    inputNameBegins(portPrefix),
    setMarkToInput(unsettledMark),
  ]);
  if (settled.length > 0) writeAddElements(writer, elementsOf(settled));
}

function writeAwake(writer: NetlinkWriter, timeoutMs: number): void {
  if (timeoutMs < shortestMs) return;
  writeAddElements(writer, { table: bridgeTable, set: AWAKE, keys: protocols, timeoutMs });
}

function elementsOf(indexes: readonly number[]): Parameters<typeof writeAddElements>[1] {
  return { table: bridgeTable, set: SETTLED, keys: indexes.map(hostBytes) };
}
