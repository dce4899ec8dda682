// A packet, as policies judge it.

import type { IpAddress } from "../../core/model/address.ts";

export interface PacketTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  /** Undefined where the protocol has none. */
  readonly port: number | undefined;
}

export interface Packet extends PacketTuple {
  /** What the kernel's sets take for the port: the port, type * 256 + code for ICMP, else 0. */
  readonly setPort: number;
}
