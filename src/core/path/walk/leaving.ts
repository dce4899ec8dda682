// A packet on its way, and what several stations of the way ask of it.

import type { IpAddress } from "../../model/address.ts";
import { isLookup } from "../../model/service.ts";
import type { Network } from "../../model/topology.ts";
import type { PathReading, ReadPacket } from "../reading.ts";
import type { Surroundings } from "../surroundings.ts";
import type { PathEnd, PathStep, PathVerdict } from "../verdict.ts";

/** Who sends. */
export interface Sender extends Pick<PathReading, "standing" | "homes"> {
  readonly quarantined: boolean;
}

/** What is sent, beside to whom. */
export interface SentPacket {
  readonly ipProtocol: number;
  /** Undefined: any port will do. */
  readonly port: number | undefined;
  /** True: where any port will do, one of TCP or of UDP. */
  readonly eitherProtocol?: true | undefined;
}

/** A packet that has left its sandbox. */
export interface Leaving extends SentPacket {
  readonly packet: ReadPacket;
  readonly source: IpAddress;
  readonly network: Network;
  readonly sender: Sender;
}

/** Redirected before anything else is looked at, unless an entry names the server with port 53. */
export function isCaptured({ ipProtocol, port, packet }: Leaving): boolean {
  return isLookup(ipProtocol, port) && packet.policy.reason !== "entry";
}

/** Whether a port, by its IP protocol, is what is sent to. */
export function isSentTo(
  { ipProtocol, port, eitherProtocol }: SentPacket,
  own: { readonly protocol: number; readonly port: number },
): boolean {
  if (port !== undefined) return own.port === port && own.protocol === ipProtocol;
  return eitherProtocol === true || own.protocol === ipProtocol;
}

export function isHosts({ hostAddresses }: Surroundings, address: IpAddress): boolean {
  return hostAddresses.includes(address);
}

/** Whether audit mode lets it pass: on an open network, where all of the container's own networks are in it. */
export function isAudited({ guarded }: Surroundings, { network, sender }: Leaving): boolean {
  const home = guarded.get(network.id);
  return home === undefined ? sender.homes.every((id) => guarded.get(id)?.audit) : home.audit;
}

export function judged(verdict: PathVerdict, step: PathStep): PathEnd {
  return { verdict, step };
}
