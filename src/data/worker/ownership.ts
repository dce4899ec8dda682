// Whose an address is, said to all who go by it before anything is granted to it.

import type { IpAddress } from "../../core/model/address.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Admission } from "../admission.ts";
import type { PresenceBook } from "../waiting/presence.ts";
import type { Telling } from "./telling.ts";

export interface Ownership {
  /** A sandbox has this address: grants that an earlier holder of it had are taken away before this returns. */
  own(address: IpAddress, sandbox: string): void;
  lost(address: IpAddress, sandbox: string): void;
  /** Without sandboxes of our own nobody else tells who has which address. */
  ownByPicture(topology: Topology): void;
}

export function createOwnership(
  presence: PresenceBook,
  admission: Admission,
  { freshAddress }: Telling,
): Ownership {
  function own(address: IpAddress, sandbox: string): void {
    presence.holds(sandbox, address);
    if (admission.own(address, sandbox)) freshAddress({ address, sandbox });
  }

  return {
    own,
    lost(address, sandbox) {
      presence.lost(sandbox, address);
      admission.disown(address, sandbox);
    },
    ownByPicture({ containers }) {
      for (const { sandbox, endpoints } of containers) {
        if (sandbox === undefined) continue;
        for (const address of endpoints.flatMap(({ addresses }) => addresses)) own(address, sandbox);
      }
    },
  };
}
