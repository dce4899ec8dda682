// The kernel's connection tracking: which flows exist, how they are marked, and how to change or forget them.

import { type Family, familyOf, type IpAddress } from "../../../core/model/address.ts";
import { DockerwallError } from "../../../errors.ts";
import { NLM_F_ACK, NLM_F_DUMP } from "../netlink/message.ts";
import { isMissing, NetlinkError } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from "../netlink/socket.ts";
import {
  type Flow,
  type FlowMark,
  messages,
  readFlow,
  readFlowCount,
  writeHeader,
  writeIdentity,
  writeMark,
  writeSourceFilter,
} from "./flow-message.ts";

export interface Conntrack {
  /** How many flows there are, of all families; known at once, where a list of them takes a walk through all namespaces'. */
  count(): number;
  /** All flows of a family, or those with a mark; the kernel sorts out the mark. */
  flows(family: Family, mark?: FlowMark): Flow[];
  /**
   * Those of which this direction comes from an address: which began there, or lead there. The kernel sorts them out by IPv4 since Linux 5.8; by IPv6 it gives all others
   * (ctnetlink_filter_match_tuple() takes the comparison the wrong way round, seen on 6.18), so it is not asked to.
   */
  flowsFrom(source: IpAddress, direction?: "original" | "reply"): Flow[];
  /** Marks flows; those that have ended meanwhile are passed over. @throws what was refused, after all others */
  setMark(flows: readonly Flow[], mark: FlowMark): void;
  /** Forgets flows: the next packet of each begins a new one, with its rules and translations looked up again. @throws as setMark() */
  remove(flows: readonly Flow[]): void;
  close(): void;
}

/** Opens the connection tracking of the calling thread's namespace. @throws NO_PRIVILEGE, KERNEL_REFUSED */
export function openConntrack(): Conntrack {
  const socket = openNetlink(NETLINK_NETFILTER, "connection tracking");
  const { writer } = socket;

  function change(message: number, what: string, flow: Flow, mark?: FlowMark): void {
    writeHeader(writer.reset(), message, NLM_F_ACK, flow.family);
    writeIdentity(writer, flow.identity);
    if (mark !== undefined) writeMark(writer, mark);
    try {
      socket.request(what);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  return {
    count() {
      writeHeader(writer.reset(), messages.statistics, NLM_F_ACK, 4);
      let count: number | undefined;
      socket.request("the number of flows", (message) => {
        count = readFlowCount(message);
      });
      if (count !== undefined) return count;
      throw new DockerwallError("KERNEL_REFUSED", "the kernel does not tell how many flows it tracks");
    },
    flows(family, mark) {
      writeHeader(writer.reset(), messages.get, NLM_F_DUMP, family);
      if (mark !== undefined) writeMark(writer, mark);
      return readFlows(socket, family);
    },
    flowsFrom(source, direction = "original") {
      const family = familyOf(source);
      writeHeader(writer.reset(), messages.get, NLM_F_DUMP, family);
      if (family === 4) writeSourceFilter(writer, direction, source);
      return readFlows(socket, family).filter((flow) => flow[direction].source === source);
    },
    setMark(flows, mark) {
      changeAll(flows, (flow) => change(messages.update, "to mark a flow", flow, mark));
    },
    remove(flows) {
      changeAll(flows, (flow) => change(messages.remove, "to forget a flow", flow));
    },
    close: () => socket.closeLater(),
  };
}

/** The kernel may refuse one for as long as it lasts (EBUSY, of one in a flowtable), and the others are to go. */
function changeAll(flows: readonly Flow[], changeOne: (flow: Flow) => void): void {
  const refusals: NetlinkError[] = [];
  for (const flow of flows) {
    try {
      changeOne(flow);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      refusals.push(error);
    }
  }
  const [first] = refusals;
  if (first === undefined) return;
  throw new DockerwallError(first.code, `${refusals.length} of ${flows.length} flows: ${first.message}`);
}

/** What was begun is a dump. */
function readFlows(socket: NetlinkSocket, family: Family): Flow[] {
  let flows: Flow[] = [];
  socket.dump(
    "the tracked flows",
    () => {
      flows = [];
    },
    (message) => {
      const flow = readFlow(message, family);
      if (flow !== undefined) flows.push(flow);
    },
  );
  return flows;
}
