// What the rules of one family are made from.

import type { Family } from "../../model/address.ts";
import { setNames } from "../names.ts";
import type { SetName } from "../rules/parts.ts";

export interface RulesetOptions {
  readonly family: Family;
  /** Port of our listener on the host. */
  readonly dnsPort: number;
  readonly queueNumber: number;
  /** Whether bridges named `br-*` that nobody classified yet are denied. */
  readonly hold: boolean;
  /**
   * Whether what comes from an address of a guarded container must have been seen at that container's port (see
   * portTable). Not where ports cannot be guarded, or are not yet.
   */
  readonly demandSender?: boolean;
  /** Whether guarded containers have more addresses on bridges than one set holds: its parts are looked through then. */
  readonly wide?: boolean;
  /** Whether what holds the questions of a starting engine stays, in whatever table (src/core/firewall/engine-hold.ts). */
  readonly spareQuestions?: boolean;
}

/** The sets of one family that rules name. */
export type FamilySets = Readonly<
  Record<
    | "guarded"
    | "ranges"
    | "open"
    | "closed"
    | "grant"
    | "ask"
    | "fixed"
    | "host"
    | "resolver"
    | "published"
    | "quarantine"
    | "audit"
    | "reject"
    | "denied"
    | "awake"
    | "listens",
    SetName
  >
>;

/** The options, and the sets of their family. */
export interface RulesetInput extends RulesetOptions {
  readonly sets: FamilySets;
}

/** @param wide a list costs each packet half as much again as the set itself */
export function setsOf(family: Family, wide = false): FamilySets {
  return {
    guarded: setNames[`${wide ? "inside" : "guarded"}${family}`],
    ranges: setNames[`ranges${family}`],
    open: setNames[`open${family}`],
    closed: setNames[`closed${family}`],
    grant: setNames[`grant${family}`],
    ask: setNames[`ask${family}`],
    fixed: setNames[`static${family}`],
    host: setNames[`host${family}`],
    resolver: setNames[`resolver${family}`],
    published: setNames[`published${family}`],
    quarantine: setNames[`quarantine${family}`],
    audit: setNames[`${wide ? "audited" : "audit"}${family}`],
    reject: setNames[`reject${family}`],
    denied: setNames[`denied${family}`],
    awake: setNames[`awake${family}`],
    listens: setNames[`listens${family}`],
  };
}
