// What `allow` and `deny` report.

/** What was made by command for one target. */
export interface OverridesReport {
  readonly kind: "network" | "container";
  readonly name: string;
  readonly overrides: readonly {
    /** Entries of `deny` begin with `!`. */
    readonly entry: string;
    /** Milliseconds since the epoch; undefined until the host is restarted. */
    readonly endsAtMs: number | undefined;
  }[];
}

/** What `allow` and `deny` have done. */
export interface ChangedOverrides extends OverridesReport {
  /** Overrides for the target that do nothing, and what to do; one sentence each. */
  readonly warnings: readonly string[];
}
