// What a flow waits for, and how long.

/** Milliseconds that a flow may be of a kind; see `CheckedFlow.kind`. */
export const timeoutsMs = {
  begun: 600_000,
  reading: 10_000,
  released: 60_000,
  requests: 600_000,
  ended: 10_000,
} as const;

/**
 * `begun`: nothing was read; `reading`: something is held; `released`: it waits for an acknowledgement; `requests`: all is
 * acknowledged, and more requests may follow; `ended`: nothing is decided any more.
 */
export type FlowKind = keyof typeof timeoutsMs;

/** All of them. */
export const kinds = Object.keys(timeoutsMs) as readonly FlowKind[];
