// From a picture that was posted to all that is done by it, in an order in which nothing is open meanwhile that the
// picture no longer allows.

import type { IpAddress } from "../../core/model/address.ts";
import type { Picture } from "../../core/model/picture.ts";
import { epochOf } from "../../planes/picture.ts";
import type { Parts } from "./parts.ts";

/** Decides by a picture from now on; what it no longer allows is out of the kernel on return. */
export function usePicture(parts: Parts, picture: Picture): void {
  const { view, pending, ownership, sandboxLayer, listeners, answerer } = parts;
  view.usePicture(picture);
  pending.forgetTold(view.knowledge);
  if (sandboxLayer === undefined) ownership.ownByPicture(picture.topology);
  rejudge(parts, picture);
  sandboxLayer?.usePicture();
  listeners.follow(guardedBridges(picture));
  answerer.useTopology(picture.topology, picture.guarded);
}

/** What is no longer allowed must find no door that is still open, so flows come after the sets. */
function rejudge({ view, admission, cutFlows, telling }: Parts, picture: Picture): void {
  const cut = (askers: ReadonlySet<IpAddress>): void => {
    const count = cutFlows(askers);
    if (count > 0)
      telling.tell({ kind: "problem", problem: `${count} open flows are no longer allowed and were cut` });
  };
  const policies = {
    epoch: epochOf(picture),
    keyOf: (asker: IpAddress) => view.index.policyKey(asker),
    membershipsOf: (asker: IpAddress) => view.membershipsAt(asker),
  };
  admission.rejudge(policies, cut);
}

function guardedBridges({ topology, guarded }: Picture): string[] {
  const ids = new Set(guarded.map(({ id }) => id));
  return topology.networks.flatMap(({ id, bridge }) => (ids.has(id) && bridge !== undefined ? [bridge] : []));
}
