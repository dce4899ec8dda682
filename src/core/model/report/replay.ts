// What `replay` reports: how what was seen would be judged by other labels.

export interface ReplayReport {
  readonly network: string;
  readonly sinceMs: number;
  /** Entries that allow more than they seem to, and containers whose labels are not known; one sentence each. */
  readonly warnings: readonly string[];
  /**
   * Every lookup and connection that was seen: first those that the tried labels change, then those that are judged
   * differently by now without them.
   */
  readonly rows: readonly ReplayedRow[];
}

/** One lookup or connection: how it was judged, how it would be by what is in force, and how by the tried labels. */
export interface ReplayedRow {
  readonly kind: "lookup" | "connection";
  readonly address: string;
  readonly container: string | undefined;
  /** There is no such container any more. */
  readonly gone?: true;
  /** A name, or `ADDRESS tcp:443` with the name that led there. */
  readonly what: string;
  readonly before: boolean;
  readonly now: boolean;
  readonly after: boolean;
  /** Why it would be denied although an entry names it, with what to write. */
  readonly why?: string;
  /** Lookups, or packets. */
  readonly count: number;
}
