// A denied connection: as the kernel counts it, and as we remember whose it was.

import type { IpAddress } from "../model/address.ts";
import type { DeniedNote } from "./denied-notes.ts";

/** One entry of a denied set. */
export interface DeniedEntry {
  readonly asker: IpAddress;
  readonly destination: IpAddress;
  /** IP protocol number. */
  readonly protocol: number;
  /** Port; for ICMP type * 256 + code; 0 where the protocol has neither. */
  readonly port: number;
  readonly packets: number;
  readonly bytes: number;
}

/** A denied connection, and who tried it. */
export interface DeniedRecord extends DeniedEntry {
  /** When it was last tried, to within some seconds; by the clock that only goes forward, milliseconds. */
  readonly lastSeenMs: number;
  /** Undefined while nobody is known to have, or to have had, the address. */
  readonly owner: Omit<DeniedNote, "packets" | "domains"> | undefined;
  /** Names that led its asker there, least recent first. */
  readonly domains: readonly string[];
}
