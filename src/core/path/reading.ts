// What the data plane reads for one container and one target: the way of each packet, and what the allowlists say of it.

import type { IpAddress } from "../model/address.ts";
import type { PolicyFinding } from "./policy.ts";
import type { Way } from "./way.ts";

/** What a lookup of a name would be answered. */
export interface ReadAnswer {
  readonly type: "A" | "AAAA";
  readonly rcode: "NOERROR" | "NXDOMAIN" | "SERVFAIL";
  readonly addresses: readonly IpAddress[];
  /** Addresses that are left out because they are private, or of this host or its engine's networks. */
  readonly refused: readonly IpAddress[];
  readonly ttlSeconds: number | undefined;
}

/** A packet to one address. */
export interface ReadPacket {
  readonly destination: IpAddress;
  readonly way: Way;
  /** False where the source is no address that the container may send from. */
  readonly ownsSource: boolean;
  readonly policy: PolicyFinding;
  /** Whether it would pass without another lookup; undefined where that is not read. */
  readonly isOpen?: boolean;
}

export interface PathReading {
  /** `unknown` while the engine has not told enough to judge it. */
  readonly standing: "guarded" | "open" | "unknown";
  /** Ids of its guarded networks. */
  readonly homes: readonly string[];
  /** What the lists say of the name itself; undefined for an address, and for a name that is not looked up. */
  readonly name: PolicyFinding | undefined;
  /** Where the container's own /etc/hosts has the name: it is not looked up then. */
  readonly hosts: readonly IpAddress[];
  readonly answers: readonly ReadAnswer[];
  readonly packets: readonly ReadPacket[];
  /** Which way what it sends outside takes. */
  readonly outward: Way;
}

/**
 * The family that the container has no address of, for a name that exists without an address of the other: nobody has
 * asked whether it has one. Undefined where that is not what keeps the name from having an address.
 */
export function lackingFamily({ answers }: Pick<PathReading, "answers">): "IPv4" | "IPv6" | undefined {
  const [only, ...others] = answers;
  if (only === undefined || others.length > 0 || only.rcode !== "NOERROR") return undefined;
  if (only.addresses.length > 0 || only.refused.length > 0) return undefined;
  return only.type === "A" ? "IPv6" : "IPv4";
}
