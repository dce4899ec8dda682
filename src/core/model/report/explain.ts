// What `explain` reports: what would happen to a container's lookups and packets, and what would change that.

import type { Explained } from "../../path/explained.ts";
import type { ReadAnswer } from "../../path/reading.ts";
import type { IpAddress } from "../address.ts";
import type { LookedUpBy } from "./stats.ts";

export interface ExplainReport extends Explained {
  readonly container: string;
  readonly target: string;
  /** The step that decides, in words. */
  readonly because: string;
  /** The change that would let it pass, in words. */
  readonly advice: string | undefined;
  /** Problems of its networks' labels: what cannot be read there allows nothing, and may be what is missing. */
  readonly problems: readonly string[];
  readonly quarantined: boolean;
  /** Guarded networks that the container is on. */
  readonly networks: readonly string[];
  /** Where the container's own /etc/hosts has the name, which then is not looked up. */
  readonly hosts: readonly IpAddress[];
  /** What is looked up in place of the name, by the search list of the container's own /etc/resolv.conf. */
  readonly searched?: string;
  /** Servers of that file, up to the one that answers, at which Dockerwall answers nothing; and why. */
  readonly resolvers?: readonly { readonly server: IpAddress; readonly because: string }[];
  /**
   * There where no lookup of the name is in force: it passes once the container looks it up, and until then it does not.
   * `lastMs` is when it last did and was answered, milliseconds since the epoch.
   */
  readonly lookupDue?: { readonly lastMs?: number };
  /** Of an address that the container did not look up itself. */
  readonly lookedUpBy?: LookedUpBy;
  /** What lookups of the name would be answered; none for an address. */
  readonly answers: readonly ReadAnswer[];
  /** What the kernel holds for the container, these addresses and the port that was asked for. */
  readonly entries: readonly {
    /** `grant` passes by itself; `pair` is a right to many ports, of which each is entered when it is first used. */
    readonly set: "grant" | "pair";
    readonly destination: string;
    readonly service: string;
    readonly comment: string;
    readonly secondsLeft: number;
    readonly packets: number;
  }[];
  /** Tracked connections of the container to these addresses. */
  readonly flows: readonly {
    readonly service: string;
    readonly sourcePort: number;
    readonly destination: string;
    /** True if it was admitted; the others were denied, or are replies. */
    readonly admitted: boolean;
  }[];
}
