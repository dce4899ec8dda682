// The labels that we read. Whoever can set them can already do worse with the engine; what stands in them is
// still checked as if a stranger had written it.

/** On a network: its allowlist, and what makes it guarded, even when empty. On a container: adds to that, for it only. */
export const allowLabel = "dockerwall.allow";

/** On a guarded network: the resolvers to ask for it, instead of the daemon's. */
export const upstreamLabel = "dockerwall.upstream";

/** On a guarded network: types of records that are served beyond the default ones. */
export const typesLabel = "dockerwall.types";

/** On a guarded network: `enforce` (default), or `audit`, which lets everything pass and records it. */
export const modeLabel = "dockerwall.mode";

/** On a guarded network: `drop` (default), or `reject`, which tells a container at once that its connection was denied. */
export const denyLabel = "dockerwall.deny";
