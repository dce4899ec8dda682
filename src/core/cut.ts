// How far a container is cut off: what quarantine wants whole, release wants to be none.

/**
 * `sends-nothing` is all that a kernel before 5.16 can do: nothing comes in by its ports, but what others send to it by
 * hand reaches its interfaces.
 */
export type Cut = "whole" | "sends-nothing" | "partly" | "none";

/** Of something whose parts are each cut, or not; what has no part is not. */
export function cutOfAll(parts: readonly Cut[]): Cut {
  const kinds = new Set(parts);
  const [only = "none"] = kinds;
  return kinds.size > 1 ? "partly" : only;
}
