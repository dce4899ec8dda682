// The connection marks of single flows, named by their addresses and ports: as the packets of a flow show them that wait
// in a queue. The conntrack attributes of a queue and its verdicts do the same only where the kernel was built with
// CONFIG_NETFILTER_NETLINK_GLUE_CT; without it the mark of a flow in a verdict changes nothing, and nobody is told.
// @see net/netfilter/nf_conntrack_netlink.c (ctnetlink_new_conntrack(), ctnetlink_get_conntrack())

import { familyOf } from "../../../core/model/address.ts";
import { NLM_F_ACK } from "../netlink/message.ts";
import { isMissing } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";
import {
  type FlowTuple,
  messages,
  readFlowMark,
  writeHeader,
  writeMark,
  writeTuple,
} from "./flow-message.ts";

/**
 * A flow is named by one of its directions: as its first packet was sent, or as its answers come in, each before any
 * translation. It is not there before its first packet has passed the last hook, nor where it is tracked in a zone.
 */
export interface FlowMarks {
  /**
   * Sets the bits of the mask in the mark of a flow; the others stay. One that is not there is not begun.
   * @param mark 32 bits; none of them outside of the mask
   * @returns false when the flow is not there
   * @throws NetlinkError
   */
  mark(key: FlowTuple, mark: number, mask: number): boolean;
  /** The whole mark of a flow; undefined when the flow is not there. @throws NetlinkError */
  get(key: FlowTuple): number | undefined;
  close(): void;
}

/** Opens the marks of the flows in the calling thread's namespace. @throws NO_PRIVILEGE, KERNEL_REFUSED */
export function openFlowMarks(): FlowMarks {
  const socket = openNetlink(NETLINK_NETFILTER, "the marks of flows");
  const { writer } = socket;

  function begin(message: number, key: FlowTuple): void {
    writeHeader(writer.reset(), message, NLM_F_ACK, familyOf(key.source));
    writeTuple(writer, key);
  }

  return {
    mark(key, mark, mask) {
      // Without NLM_F_CREATE the kernel changes what is there, or says ENOENT.
      begin(messages.update, key);
      writeMark(writer, { value: mark, mask });
      return unlessMissing(() => {
        socket.request("to mark a flow");
        return true;
      }, false);
    },
    get(key) {
      begin(messages.get, key);
      return unlessMissing(() => {
        let mark: number | undefined;
        socket.request("the mark of a flow", (message) => {
          mark = readFlowMark(message);
        });
        return mark;
      }, undefined);
    },
    close: () => socket.closeLater(),
  };
}

function unlessMissing<T>(ask: () => T, missing: T): T {
  try {
    return ask();
  } catch (error) {
    if (isMissing(error)) return missing;
    throw error;
  }
}
