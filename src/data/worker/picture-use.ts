// From a picture that was posted to all that is done by it, in an order in which nothing is open meanwhile that the
// picture no longer allows.

import type { IpAddress } from "../../core/model/address.ts";
import type { Picture } from "../../core/model/picture.ts";
import { messageOf } from "../../errors.ts";
import { epochOf } from "../../planes/picture.ts";
import type { PlaneParts } from "./parts.ts";

/**
 * Decides by a picture from now on; what it no longer allows is out of the kernel on return, but for flows that the kernel
 * does not let go: those are a problem, and no refusal of the picture, which is in use all the same.
 * @throws what else the kernel refuses
 */
export function usePicture(parts: PlaneParts, picture: Picture): void {
  const { view, pending, ownership, sandboxLayer, listeners, answerer, telling } = parts;
  const epoch = epochOf(picture);
  view.usePicture(picture);
  ownership.useEpoch(epoch);
  pending.forgetTold(view.knowledge);
  // Before any sandbox is settled by it: what has waited for that is answered at once, by the names of this picture.
  answerer.useTopology(picture.topology, picture.guarded);
  if (sandboxLayer === undefined) ownership.ownByPicture(picture.topology);
  const uncut = rejudge(parts, picture, epoch);
  sandboxLayer?.usePicture();
  listeners.follow(guardedBridges(picture));
  answerer.reconsider();
  if (uncut !== undefined) telling.tell({ kind: "problem", problem: describeUncut(uncut) });
}

interface Uncut {
  readonly error: unknown;
}

/**
 * What is no longer allowed must find no door that is still open, so flows come after the sets.
 * @returns why flows go on that are to be cut: the kernel may refuse one for as long as it lasts
 */
function rejudge(
  { view, admission, cutFlows, telling }: PlaneParts,
  picture: Picture,
  epoch: string,
): Uncut | undefined {
  let uncut: Uncut | undefined;
  const cut = (askers: ReadonlySet<IpAddress>): void => {
    let ended: readonly IpAddress[];
    try {
      ended = cutFlows(askers);
    } catch (error) {
      uncut = { error };
      throw error;
    }
    if (ended.length > 0) telling.tell({ kind: "problem", problem: describeCut(ended, picture.topology) });
  };
  const policies = {
    epoch,
    keyOf: (asker: IpAddress) => view.index.policyKey(asker),
    membershipsOf: (asker: IpAddress) => view.membershipsAt(asker),
  };
  try {
    admission.rejudge(policies, cut);
  } catch (error) {
    if (error !== uncut?.error) throw error;
  }
  return uncut;
}

function guardedBridges({ topology, guarded }: Picture): string[] {
  const ids = new Set(guarded.map(({ id }) => id));
  return topology.networks.flatMap(({ id, bridge }) => (ids.has(id) && bridge !== undefined ? [bridge] : []));
}

function describeUncut({ error }: Uncut): string {
  return `open flows that are no longer allowed were not cut, and are tried again with the next picture: ${messageOf(error)}`;
}

/** How many containers a sentence names. */
const mostNamed = 5;

/** Whose open flows were cut; `askers` has the asker of each. */
export function describeCut(askers: readonly IpAddress[], { containers }: Picture["topology"]): string {
  const nameOf = (asker: IpAddress): string => {
    const holder = containers.find(({ endpoints }) =>
      endpoints.some(({ addresses }) => addresses.includes(asker)),
    );
    return holder === undefined ? asker : JSON.stringify(holder.name);
  };
  const counts = new Map<string, number>();
  for (const [asker, flows] of Map.groupBy(askers, (each) => each)) {
    const name = nameOf(asker);
    counts.set(name, (counts.get(name) ?? 0) + flows.length);
  }
  const named = [...counts].slice(0, mostNamed).map(([name, count]) => `${count} of ${name}`);
  const others = counts.size > mostNamed ? ` and ${counts.size - mostNamed} other containers` : "";
  return `open flows that are no longer allowed were cut: ${named.join(", ")}${others}`;
}
