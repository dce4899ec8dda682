// Audit mode lets pass what leaves by a network that is in it. A container may be on others, too, and what may not leave
// must not leave in names either.

import type { IpAddress } from "../model/address.ts";
import type { Membership } from "./standing.ts";

/** A guarded network of a container. */
export interface AuditedHome {
  /** Nothing leaves by it. */
  readonly internal: boolean;
  /** Whether it is in audit mode. */
  readonly audit: boolean;
}

/**
 * Whether denied names are looked up for a container on these networks: where one that leads outside is in audit mode.
 * Where none leads there, open networks may, and audit mode lets pass by those when all of its networks are in it.
 */
export function isDenialLookedUp(homes: readonly AuditedHome[]): boolean {
  const leading = homes.filter(({ internal }) => !internal);
  if (leading.length > 0) return leading.some(({ audit }) => audit);
  return homes.length > 0 && homes.every(({ audit }) => audit);
}

/** Whether audit mode lets pass what leaves from an address of an asker, as the sets of the kernel have it. */
export function passesAuditFrom(source: IpAddress, memberships: readonly Membership[]): boolean {
  const its = memberships.filter(({ addresses }) => addresses.includes(source));
  return its.length > 0 && its.every(({ labels }) => labels.mode === "audit");
}
