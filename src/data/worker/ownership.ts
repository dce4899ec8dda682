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
   * @returns those at which nothing is left of an earlier holder's open flows, and which have found a place among those
   * that have an owner: from the others it must not send yet
   */
  own(addresses: readonly IpAddress[], sandbox: string): readonly IpAddress[];
  lost(address: IpAddress, sandbox: string): void;
  /** Policies of this epoch are in use: one that comes again to an address goes on only with what the same ones allowed. */
  useEpoch(epoch: string): void;
  /** Without sandboxes of our own nobody else tells who has which address. */
  ownByPicture(topology: Topology): void;
}

export function createOwnership(
  presence: Pick<PresenceBook, "holds" | "lost">,
  admission: Pick<Admission, "own" | "disown" | "holderOf" | "unplacedAt" | "cleared">,
  formerFlows: Pick<FormerFlows, "leave" | "come" | "clear" | "judgeAnew">,
  { freshAddress, problem }: Pick<Telling, "freshAddress" | "problem">,
): Ownership {
  let epochInUse: string | undefined;

  function ownInKernel(address: IpAddress, sandbox: string): boolean {
    const isTold = admission.unplacedAt(address) === sandbox;
    if (admission.own(address, sandbox)) return true;
    if (!isTold)
      problem(
        `the set of owners is full: a guarded container cannot send from ${address} (sandbox ${sandbox}) until there is a place`,
      );
    return false;
  }

  function own(addresses: readonly IpAddress[], sandbox: string): readonly IpAddress[] {
    const unplaced = new Set<IpAddress>();
    for (const address of addresses) {
      presence.holds(sandbox, address);
      const before = admission.holderOf(address);
      if (before === sandbox) continue;
      const isPlaced = ownInKernel(address, sandbox);
      // Where the kernel refuses, it is the former holder's still, and so are its flows.
      if (before !== undefined) formerFlows.leave(address, before);
      formerFlows.come(address, sandbox);
      if (isPlaced) freshAddress({ address, sandbox });
      else unplaced.add(address);
    }
    // Only now: nothing that was granted before can open a flow any more.
    const clear = formerFlows.clear(addresses).filter((address) => !unplaced.has(address));
    for (const address of clear) admission.cleared(address);
    return clear;
  }

  return {
    own,
    lost(address, sandbox) {
      presence.lost(sandbox, address);
      const isHolder = admission.holderOf(address) === sandbox;
      admission.disown(address, sandbox);
      if (isHolder) formerFlows.leave(address, sandbox);
    },
    useEpoch(epoch) {
      if (epoch !== epochInUse) formerFlows.judgeAnew();
      epochInUse = epoch;
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
