// What a rule can do with a packet, one row for each kind: what its values hold, how iptables-save prints one, which
// kernel module has it, and where it works. A new kind is a new row.

import type { Family } from "../../model/address.ts";
import { type ChainName, connectionMark } from "../names.ts";
import {
  check,
  type Dimensions,
  type Mark,
  markText,
  packetBits,
  type SetName,
  type TableName,
  whole,
} from "./parts.ts";

export interface TargetKind<Value> {
  /** The kernel module that has it; undefined for what every table can do by itself. */
  readonly module: string | Readonly<Record<Family, string>> | undefined;
  /** Its text. @throws Error for a value that cannot be meant */
  readonly text: (value: Value) => string;
  /** @throws Error in a table where it does not work, or with packets that it cannot take; `protocol` is printed */
  readonly checkPlace?: (value: Value, table: TableName, protocol: string | undefined) => void;
}

/** A row, checked against the values that its kind has. */
function kind<Value>(row: TargetKind<Value>): TargetKind<Value> {
  return row;
}

/** Nothing beside its kind. */
type Plain = Readonly<Record<never, never>>;

/** Each kind of target, by its name: the one place that knows it. */
export const targetKinds = {
  accept: kind<Plain>({ module: undefined, text: () => "-j ACCEPT" }),
  drop: kind<Plain>({
    module: undefined,
    text: () => "-j DROP",
    checkPlace: (_, table) =>
      check(table !== "nat", "DROP in table nat, which sees the first packet of a flow only"),
  }),
  return: kind<Plain>({ module: undefined, text: () => "-j RETURN" }),
  /** Comes back where its chain ends. */
  jump: kind<{ readonly chain: ChainName }>({ module: undefined, text: ({ chain }) => `-j ${chain}` }),
  /** Comes back where the chain that it stands in would. */
  goto: kind<{ readonly chain: ChainName }>({ module: undefined, text: ({ chain }) => `-g ${chain}` }),
  reject: kind<{ readonly with: "tcp-reset" | "icmp-admin-prohibited" | "icmp6-adm-prohibited" }>({
    module: { 4: "ipt_REJECT", 6: "ip6t_REJECT" },
    text: (target) => `-j REJECT --reject-with ${target.with}`,
    checkPlace: (target, table, protocol) => {
      check(table === "filter", `REJECT in table ${table}`);
      check(target.with !== "tcp-reset" || protocol === "-p tcp", "tcp-reset for what is not TCP");
    },
  }),
  /** Writes the bits of the mask. */
  "set-mark": kind<{ readonly mark: Mark }>({
    module: "xt_mark",
    text: ({ mark }) => `-j MARK --set-xmark ${markText(mark, packetBits)}`,
  }),
  /** Clears every bit, other software's too: for marks that were made as a whole by us. */
  "clear-whole-mark": kind<Plain>({ module: "xt_mark", text: () => "-j MARK --set-xmark 0x0/0xffffffff" }),
  /** Writes the bits of the mask. */
  "set-connmark": kind<{ readonly mark: Mark }>({
    module: "xt_connmark",
    text: ({ mark }) => `-j CONNMARK --set-xmark ${markText(mark, connectionMark.mask)}`,
  }),
  "add-to-set": kind<{ readonly set: SetName; readonly by: Dimensions }>({
    module: "xt_set",
    text: ({ set, by }) => `-j SET --add-set ${set} ${by}`,
  }),
  /** With `bypass` a packet goes on where nobody listens to the queue; without, it is dropped. */
  queue: kind<{ readonly number: number; readonly bypass?: true }>({
    module: "xt_NFQUEUE",
    text: ({ number, bypass }) =>
      `-j NFQUEUE --queue-num ${whole(number, 0, 0xffff)}${bypass ? " --queue-bypass" : ""}`,
  }),
  /** The packet is of no flow that is tracked. */
  notrack: kind<Plain>({
    module: "xt_CT",
    text: () => "-j CT --notrack",
    checkPlace: (_, table) => check(table === "raw", `CT in table ${table}`),
  }),
  /** To a port of the host's own. */
  redirect: kind<{ readonly port: number }>({
    module: "xt_REDIRECT",
    text: ({ port }) => `-j REDIRECT --to-ports ${whole(port, 1, 0xffff)}`,
    checkPlace: (_, table, protocol) => {
      check(table === "nat", `REDIRECT in table ${table}`);
      check(protocol === "-p tcp" || protocol === "-p udp", "a port of a protocol without any");
    },
  }),
};
