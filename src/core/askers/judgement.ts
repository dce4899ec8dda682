// What is decided about a sandbox, by what is known of it and by the bridges that its ports are on.

import type { IpAddress } from "../model/address.ts";
import type { AskerIndex } from "./index-of-askers.ts";
import type { Asker } from "./knowledge.ts";
import type { Standing } from "./standing.ts";
import type { UnknownSandboxes } from "./unknown-sandboxes.ts";

export interface Evidence {
  readonly index: Pick<AskerIndex, "standingOfSandbox" | "networksOn">;
  readonly unknownSandboxes: Pick<UnknownSandboxes, "quarantineOf" | "mayJoin">;
  readonly asker: Asker & { readonly sandbox: string };
  /** Those that are its own: it may have others on, such as a neighbour's. */
  readonly addresses: readonly IpAddress[];
  /** The bridges that its ports are on. */
  readonly bridges: readonly string[];
  /** Those among them that the engine has not told of. */
  readonly strange: readonly string[];
  /** Whether the engine may still tell of one of them. */
  readonly awaitsList: boolean;
}

export interface Judgement {
  /** By the bridges that are known. */
  readonly standing: Standing;
  /** Whether it is to be cut off; "maybe" closes, and "unread" leaves it as an earlier run did. */
  readonly quarantine: "yes" | "no" | "maybe" | "unread";
  /** Whether its addresses and ports are guarded: one that may be about to join a guarded network is, too. */
  readonly isGuarded: boolean;
  /** Whether it must be judged again before anything may rely on its standing. */
  readonly isUndecided: boolean;
}

export function judgeSandbox(evidence: Evidence): Judgement {
  const { index, unknownSandboxes, asker, addresses, bridges, strange, awaitsList } = evidence;
  const known = bridges.filter((bridge) => !strange.includes(bridge));
  const standing = byOwn(addresses, index.standingOfSandbox(asker.sandbox, addresses, known));
  const onGuarded = standing.kind === "guarded";
  const quarantine = unknownSandboxes.quarantineOf(asker, onGuarded);
  const joins = standing.kind === "open" && unknownSandboxes.mayJoin(asker, index.networksOn(bridges));
  return {
    standing,
    quarantine,
    isGuarded: onGuarded || joins,
    isUndecided: quarantine === "maybe" || joins || (awaitsList && !onGuarded),
  };
}

/** Nothing is granted to it at an address that is another's, were it the engine that gave it to both. */
function byOwn(addresses: readonly IpAddress[], standing: Standing): Standing {
  if (standing.kind !== "guarded") return standing;
  const isOthers = (address: IpAddress): boolean => !addresses.includes(address);
  if (!standing.memberships.some((membership) => membership.addresses.some(isOthers))) return standing;
  const memberships = standing.memberships.map((membership) => ({
    ...membership,
    addresses: membership.addresses.filter((address) => !isOthers(address)),
  }));
  return { ...standing, memberships };
}
