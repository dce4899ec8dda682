// Whose an address is, said to all who go by it before anything is granted to it.

import type { IpAddress } from "../../core/model/address.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Admission } from "../admission.ts";
import type { FormerFlows } from "../sandboxes/former-flows.ts";
import type { PresenceBook } from "../waiting/presence.ts";
import type { Telling } from "./telling.ts";

export interface Ownership {
  /**
   * A sandbox has these addresses: what an earlier holder of them was granted is taken away before this returns.
   * @returns those at which nothing is left of an earlier holder's open flows: from the others it must not send yet
   */
  own(addresses: readonly IpAddress[], sandbox: string): readonly IpAddress[];
  lost(address: IpAddress, sandbox: string): void;
  /** Without sandboxes of our own nobody else tells who has which address. */
  ownByPicture(topology: Topology): void;
}

export function createOwnership(
  presence: Pick<PresenceBook, "holds" | "lost">,
  admission: Pick<Admission, "own" | "disown" | "holderOf">,
  formerFlows: Pick<FormerFlows, "leave" | "come" | "clear">,
  { freshAddress }: Pick<Telling, "freshAddress">,
): Ownership {
  function own(addresses: readonly IpAddress[], sandbox: string): readonly IpAddress[] {
    for (const address of addresses) {
      presence.holds(sandbox, address);
      const before = admission.holderOf(address);
      if (before === sandbox) continue;
      if (before !== undefined) formerFlows.leave(address, before);
      formerFlows.come(address, sandbox);
      admission.own(address, sandbox);
      freshAddress({ address, sandbox });
    }
    // Only now: nothing that was granted before can open a flow any more.
    return formerFlows.clear(addresses);
  }

  return {
    own,
    lost(address, sandbox) {
      presence.lost(sandbox, address);
      if (admission.holderOf(address) === sandbox) formerFlows.leave(address, sandbox);
      admission.disown(address, sandbox);
    },
    ownByPicture({ containers }) {
      for (const { sandbox, endpoints } of containers) {
        if (sandbox === undefined) continue;
        own(
          endpoints.flatMap(({ addresses }) => addresses),
          sandbox,
        );
      }
    },
  };
}
