// Packets that the kernel passes to us: the first ones to an address that an asker may have a right to every port of,
// or that an allowlist names, and ICMP errors, because the kernel's rules cannot see what they quote. The answer is an
// entry in the kernel and another look at the packet, or a mark that has it counted and dropped; an ICMP error that may
// pass does so at once. While nothing listens here, the kernel drops these packets.

import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import { contained, tellFailure } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { askedMark, refusedMark } from "../../core/firewall/names.ts";
import { isIcmpError, isOwnError, parsePacket } from "../../core/firewall/packet.ts";
import { portProtocols } from "../../core/model/service.ts";
import type { QueuedPacket } from "../../core/queued-packet.ts";
import { openOwnQueue, type PacketVerdict } from "../../edge/kernel/flows/queue.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import { messageOf } from "../../errors.ts";
import type { Packet } from "../admission/packet.ts";
import type { Admission } from "../admission.ts";

const overflows = declareCounter({
  name: "first_packets_overflows",
  help: "How often first packets were dropped because we did not read them fast enough; they are sent again.",
  words: { one: "overflow of the queue of first packets", many: "overflows of the queue of first packets" },
});

export interface QueueOptions {
  readonly number: number;
  readonly readiness: Readiness;
  readonly admission: Pick<Admission, "judge">;
  readonly indexNow: () => Pick<AskerIndex, "standingOfSource">;
  readonly onProblem: (problem: string) => void;
}

/**
 * Packets that wait for us at most; more are dropped by the kernel and sent again by their senders. The kernel keeps each
 * as a whole, up to 64 KB: while we hang, 256 MB. The limits of the rules let each address of a container have a burst of
 * a thousand and as many errors, so one with an address of each family leaves some room for others.
 */
const maxLength = 4_096;
/** Verdicts of one system call: the first of them waits for the others. */
const decidedAtOnce = 32;
/** Enough for both headers with options. */
const copyBytes = 256;

function setPortOf(
  ipProtocol: number,
  port: number | undefined,
  icmp: { readonly type: number; readonly code: number } | undefined,
): number {
  if (icmp !== undefined) return icmp.type * 256 + icmp.code;
  return portProtocols.has(ipProtocol) ? (port ?? 0) : 0;
}

export function startQueue(options: QueueOptions): void {
  const queue = openOwnQueue({ number: options.number, maxLength, copyBytes });

  function judge(payload: Uint8Array): "passes" | "passes now" | "refused" | "waits" {
    const head = parsePacket(payload);
    if (head === undefined) return "refused";
    if (isIcmpError(head)) return isOwnError(head) ? "passes now" : "refused";
    const { source, destination, ipProtocol, destinationPort, icmp } = head;
    const packet: Packet = {
      source,
      destination,
      protocol: ipProtocol,
      port: destinationPort,
      setPort: setPortOf(ipProtocol, destinationPort, icmp),
    };
    const standing = options.indexNow().standingOfSource(source);
    if (standing.kind !== "guarded") return "refused";
    // It is sent again, by when the engine will have told what is taken away from its sender.
    if (standing.mayLose) return "waits";
    return options.admission.judge(packet, standing.memberships) ? "passes" : "refused";
  }

  function decide({ id, mark, payload }: QueuedPacket): PacketVerdict {
    // One that comes back although its entry is there would come back for ever.
    const judged = (mark & askedMark) === 0 ? judge(payload) : "waits";
    if (judged === "waits") return { id, verdict: "drop" };
    if (judged === "passes now") return { id, verdict: "accept" };
    return { id, verdict: "repeat", mark: mark | (judged === "passes" ? askedMark : refusedMark) };
  }

  /** Whatever fails, the packet passes not, and the next one is looked at. */
  function decideSafely(packet: QueuedPacket): PacketVerdict {
    try {
      return decide(packet);
    } catch (error) {
      tellFailure(error, (failure) => options.onProblem(`a first packet was refused: ${messageOf(failure)}`));
      return { id: packet.id, verdict: "drop" };
    }
  }

  /** Where the verdicts are refused, the kernel holds the packets until we end; that opens nothing. */
  function serve(): void {
    const packets = queue.receive();
    for (let first = 0; first < packets.length; first += decidedAtOnce)
      queue.verdicts(packets.slice(first, first + decidedAtOnce).map(decideSafely));
    overflows.add(queue.takeOverflows());
  }

  const told = (error: unknown): void =>
    options.onProblem(`first packets could not be read: ${messageOf(error)}`);
  options.readiness.watch(queue.fd, contained(serve, told));
}
