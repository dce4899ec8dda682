// How far a container is cut off at its ports: what quarantine wants whole, release wants to be none.

export type Cut = "whole" | "partly" | "none";

/** Of something whose parts are each cut, or not; what has no part is not. */
export function cutOfAll(parts: readonly Cut[]): Cut {
  const kinds = new Set(parts);
  const [only = "none"] = kinds;
  return kinds.size > 1 ? "partly" : only;
}
