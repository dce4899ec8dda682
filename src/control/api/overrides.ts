// `allow` and `deny` as commands: they resolve when the kernel holds what they say, and no right beyond it.

import type { IpAddress } from "../../core/model/address.ts";
import type { ChangedOverrides } from "../../core/model/report/overrides.ts";
import type { Topology } from "../../core/model/topology.ts";
import { findIdle } from "../../core/policy/override/idle.ts";
import type { OverrideTarget } from "../../core/policy/override.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../../errors.ts";
import type { DataPlaneLink } from "../../planes/link.ts";
import type { Enforcement } from "../enforcement.ts";
import type { PolicySources } from "../policy-sources.ts";
import type { Wall } from "../wall.ts";
import { inForceOf, planeOf } from "./context/api-parts.ts";
import type { InForce } from "./context/in-force.ts";
import { route } from "./context/route.ts";
import { type OverrideRequest, overrideRequest } from "./overrides/change-overrides.ts";
import { listRights } from "./overrides/kernel-rights.ts";

export interface ApplyContext {
  readonly topology: () => Topology;
  readonly policies: Pick<PolicySources, "change">;
  readonly enforcement: Pick<Enforcement, "heal" | "classification">;
  readonly wall: Pick<Wall, "stands">;
  readonly sets: Pick<KernelSets, "portions">;
  readonly takeLeft: DataPlaneLink["takeLeft"];
}

export const changeOverrides = route(overrideRequest, (parts) => async (request) => {
  const { policies, enforcement, wall, sets, inventory } = parts;
  return applyOverrides(request, inForceOf(parts), {
    policies,
    enforcement,
    wall,
    sets,
    topology: inventory.current,
    takeLeft: async (addresses, rights) => planeOf(parts).takeLeft(addresses, rights),
  });
});

/** Makes overrides, or takes them back. @throws DockerwallError NOT_ENFORCED if the kernel does not hold the result */
export async function applyOverrides(
  request: OverrideRequest,
  inForce: InForce,
  context: ApplyContext,
): Promise<ChangedOverrides> {
  const report = await context.policies.change(request, inForce);
  if (await isInForce(report, context)) return { ...report, warnings: idleOf(report, context) };
  // Other software may have changed the rules at this very moment; if so, we put them right.
  await context.enforcement.heal();
  if (await isInForce(report, context)) return { ...report, warnings: idleOf(report, context) };
  throw new DockerwallError(
    "NOT_ENFORCED",
    "the change is remembered, but NOT in force: the kernel holds other rules, or more rights, than it should; see dockerwall status",
  );
}

/** What does nothing of what a target has now. */
function idleOf({ kind, name }: OverrideTarget, { topology, enforcement }: ApplyContext): readonly string[] {
  const classification = enforcement.classification();
  if (classification === undefined) return [];
  const { guarded, containers } = classification;
  return findIdle(topology(), { guarded, services: containers.services })
    .filter(({ target }) => target.kind === kind && target.name === name)
    .map(({ sentence }) => sentence);
}

/** As the kernel has it: the rules, and what is open for the containers concerned. */
async function isInForce(
  target: OverrideTarget,
  { topology, wall, sets, takeLeft }: ApplyContext,
): Promise<boolean> {
  const addresses = addressesOf(target, topology());
  const left = await takeLeft(addresses, await listRights(sets, new Set(addresses)));
  return (await wall.stands()) && left === 0;
}

/** The addresses that an override for this target is about. */
export function addressesOf(
  { kind, name }: OverrideTarget,
  { networks, containers }: Topology,
): readonly IpAddress[] {
  const network = kind === "network" ? networks.find((each) => each.name === name)?.id : undefined;
  return containers
    .filter((container) => kind === "network" || container.name === name)
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ networkId }) => kind === "container" || networkId === network)
    .flatMap((endpoint) => endpoint.addresses);
}
