// What a rule can do with a packet, as a closed list of values.

import type { ChainName } from "../names.ts";
import type { Dimensions, Mark, SetName } from "./match.ts";

export type Target =
  | { readonly kind: "accept" | "drop" | "return" }
  /** A jump comes back where its chain ends, a goto where the chain that it stands in would. */
  | { readonly kind: "jump" | "goto"; readonly chain: ChainName }
  | { readonly kind: "reject"; readonly with: "tcp-reset" | "icmp-admin-prohibited" | "icmp6-adm-prohibited" }
  /** Writes the bits of the mask. */
  | { readonly kind: "set-mark" | "set-connmark"; readonly mark: Mark }
  /** Clears every bit, whoever's it is: for marks that were made as a whole by us. */
  | { readonly kind: "clear-whole-mark" }
  | { readonly kind: "add-to-set"; readonly set: SetName; readonly by: Dimensions }
  /** With `bypass` a packet goes on where nobody listens to the queue; without, it is dropped. */
  | { readonly kind: "queue"; readonly number: number; readonly bypass?: true }
  /** The packet is of no flow that is tracked. */
  | { readonly kind: "notrack" }
  /** To a port of the host's own. */
  | { readonly kind: "redirect"; readonly port: number };

export const drop: Target = { kind: "drop" };
export const accept: Target = { kind: "accept" };
/** Named so because of the keyword. */
export const returnIt: Target = { kind: "return" };

export function goTo(chain: ChainName): Target {
  return { kind: "goto", chain };
}

export const noTrack: Target = { kind: "notrack" };

/** Writes this bit of the packet's mark. */
export function setMark(bit: number): Target {
  return { kind: "set-mark", mark: { value: bit, mask: bit } };
}

export function clearMark(bit: number): Target {
  return { kind: "set-mark", mark: { value: 0, mask: bit } };
}
