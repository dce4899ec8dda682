// What allowlists say about a packet: by its address, and by the names that led there.

import type { IpAddress } from "../../model/address.ts";
import { isLookup, serviceCovers, serviceGrants } from "../../model/service.ts";
import { decideName } from "../decide.ts";
import { isSingle } from "../entry.ts";
import { addressRights } from "./address-rights.ts";
import { servicesAt } from "./led-to.ts";
import { isClosed, type MatchedEntry, mayLeadTo, type Policy, serviceOf } from "./policy.ts";

export interface PacketTarget {
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
  /** Whether it is inside, see NamedAddress; by the address alone where it is not said. */
  readonly inside?: boolean;
}

export interface PacketDecision {
  readonly allowed: boolean;
  /** The entry that decides; undefined when no entry names the target. */
  readonly by: MatchedEntry | undefined;
  /** The name through which it is allowed, or by which it was denied; undefined when the address itself decides. */
  readonly name: string | undefined;
}

/** Decides on a packet to an address that these names led to. */
export function decidePacket(
  policy: Policy,
  { destination, ipProtocol, port, inside }: PacketTarget,
  names: Iterable<string>,
  nowMs: number,
): PacketDecision {
  let denied: PacketDecision = { allowed: false, by: undefined, name: undefined };
  if (isClosed(policy)) return denied;
  const covers = (match: MatchedEntry): boolean => serviceGrants(serviceOf(match), ipProtocol, port);
  const { granted, taken } = addressRights(policy, destination, nowMs);
  const forbidden = taken.find((match) => serviceCovers(serviceOf(match), ipProtocol, port));
  if (forbidden !== undefined) return { allowed: false, by: forbidden, name: undefined };
  const namesIt = ({ entry }: MatchedEntry): boolean =>
    !isLookup(ipProtocol, port) || (entry.kind === "prefix" && isSingle(entry.prefix));
  const named = granted.find((match) => covers(match) && namesIt(match));
  if (named !== undefined) return { allowed: true, by: named, name: undefined };
  for (const name of names) {
    const decision = decideName(policy, name, nowMs);
    if (!decision.allowed) {
      denied = { allowed: false, by: decision.by[0], name };
      continue;
    }
    const services = servicesAt(policy, decision.terms, { address: destination, inside }, nowMs);
    if (services.some((service) => serviceGrants(service, ipProtocol, port))) {
      const leadsHere = decision.by.find((match) => covers(match) && mayLeadTo(match, destination));
      return { allowed: true, by: leadsHere ?? decision.by[0], name };
    }
    denied = { allowed: false, by: undefined, name };
  }
  return denied;
}
