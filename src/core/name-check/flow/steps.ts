// What a checked flow wants done: data, which the data plane carries out in order.

import type { Refusal } from "../refusals.ts";

/** In what a connection asks for its name; `neither` when it was read as none of them. */
export type AskedAs = "tls" | "http";

/**
 * States that the kernel keeps of a flow, as its rules act by them. `released`: bytes are out, payload of both directions
 * and acknowledgements of the server come here. `requests`: as `released`, but the server's packets pass unseen.
 * `admitted` and `audited`: nothing comes here any more. `cut`: nothing passes.
 */
export type FlowMark = "released" | "requests" | "admitted" | "audited" | "cut";

/** Sequence numbers for the RSTs that end a connection at both ends. */
export interface Reset {
  /** In the server's name: the next byte that the client waits for, and what it has sent itself. */
  readonly toClient: { readonly seq: number; readonly ack: number };
  /** In the client's name: the next byte that the server waits for, if it got all that was released. */
  readonly toServer: { readonly seq: number };
}

/** One name that was read, or why the connection was refused. */
export interface Note {
  /** As far as it was read, as entries have it. */
  readonly name: string | undefined;
  readonly as: AskedAs | "neither";
  /** Undefined: the name is allowed. In audit it says what would have been refused. */
  readonly refusal: Refusal | undefined;
}

/** `id` is that of a packet, as it was given with it. Each packet is released or dropped once, at once or after a hold. */
export type Step =
  | { readonly kind: "hold"; readonly id: number }
  | { readonly kind: "drop"; readonly ids: readonly number[] }
  /** Comes before what it allows: if it fails, nothing behind it may be done, and what is held must be dropped. */
  | { readonly kind: "mark"; readonly mark: FlowMark }
  /** In the order of the stream. */
  | { readonly kind: "release"; readonly ids: readonly number[] }
  | { readonly kind: "reset"; readonly reset: Reset }
  | { readonly kind: "note"; readonly note: Note };

export interface FlowRules {
  /** Whether the flow may ask for this name in this way; asked once for each name that was read. */
  readonly ask: (as: AskedAs, name: string) => boolean;
  /** Refuse nothing, and say what would have been refused. */
  readonly isAudited: boolean;
  /** Whether a ClientHello that may hide another name passes by the name that it shows. */
  readonly allowsEch: boolean;
}
