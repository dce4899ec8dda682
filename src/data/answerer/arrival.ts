// A message, from when it arrives to when its question is looked up.

import type { Membership, Standing } from "../../core/askers/standing.ts";
import type { Transport } from "../../core/dns/wire/message.ts";
import { labelCount } from "../../core/dns/wire/name.ts";
import type { Query } from "../../core/dns/wire/question.ts";
import { types } from "../../core/dns/wire/record-types.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { AskerFacts } from "./askers.ts";

/** To be called exactly once; undefined is silence. */
export type Reply = (answer: Uint8Array | undefined) => void;

/** A message of an asker whose networks are known, or may be by the time that it is decided. */
export interface Arrival {
  readonly message: Uint8Array;
  readonly transport: Transport;
  /** Where its asker stands, whenever it is asked. */
  readonly standing: () => Standing;
  /** By performance.now(): whatever it waits for, the answer goes out before its client has given up. */
  readonly arrivedAtMs: number;
  /** True once its client waits no more. */
  readonly isGone?: (() => boolean) | undefined;
  readonly reply: Reply;
  /** The sandbox that it was asked in. */
  readonly sandbox?: string;
  /** Its sender's address, where nothing else tells who that is. */
  readonly source?: IpAddress;
}

/** A query that is looked up, and who asks it. */
export interface Asked {
  readonly query: Query;
  readonly transport: Transport;
  /** For fairness. */
  readonly asker: string;
  readonly memberships: readonly Membership[];
  readonly facts: AskerFacts;
  /** Where its asker stands, whenever it is asked. */
  readonly standing: () => Standing;
  /** By performance.now(). */
  readonly deadlineAtMs: number;
  readonly isGone: (() => boolean) | undefined;
}

/** What time alone may change is looked at anew, as is what may become a name of Docker's without a new picture. */
export function mayRepeat({ query: { question }, transport, facts }: Asked): boolean {
  return (
    !facts.hasEnds && transport === "udp" && question.type !== types.ptr && labelCount(question.qname) > 1
  );
}
