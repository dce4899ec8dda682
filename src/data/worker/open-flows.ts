// Flows that are open already, judged by the policies as they are now: one that is no longer allowed is cut.

import { passesAuditFrom } from "../../core/askers/audited.ts";
import { type IpAddress, prefixContains } from "../../core/model/address.ts";
import { type FlowHead, forgetUnless } from "../../edge/kernel/flows/stamped.ts";
import type { Admission } from "../admission.ts";
import type { HostAddresses } from "./host-addresses.ts";
import type { View } from "./view.ts";

/** Cuts flows of these askers that are not allowed. @returns the asker of each. @throws what the kernel refuses */
export type CutFlows = (askers: ReadonlySet<IpAddress>) => readonly IpAddress[];

export function createFlowCuts(
  view: View,
  admission: Admission,
  hostAddresses: Pick<HostAddresses, "has">,
): CutFlows {
  /** Flows among neighbours and to the host itself are judged by other rules, and audit lets all pass. */
  function isAllowed({ stamped, ...packet }: FlowHead): boolean {
    const memberships = view.membershipsAt(packet.source);
    const { destination } = packet;
    const isOnLink = memberships.some(({ networkId }) =>
      view.subnetsOf(networkId).some((subnet) => prefixContains(subnet, destination)),
    );
    const isHost = hostAddresses.has(destination);
    if (isOnLink || isHost || (!stamped && passesAuditFrom(packet.source, memberships))) return true;
    return admission.verdict(packet, memberships).allowed;
  }

  return (askers) => forgetUnless(askers, isAllowed);
}
