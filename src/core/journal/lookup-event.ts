// One decision about one lookup, as the data plane reports it.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report.ts";

/** One decision about one lookup, aggregated by the journal. */
export interface LookupEvent {
  readonly networkId: string;
  readonly asker: IpAddress;
  readonly domain: string;
  readonly allowed: boolean;
  readonly trouble?: LookupTrouble | undefined;
  readonly atMs: number;
  /** Addresses that were granted with this lookup. */
  readonly granted: readonly IpAddress[];
}
