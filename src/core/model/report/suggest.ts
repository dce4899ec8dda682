// What `suggest` reports: what a network's label would need to have.

export interface SuggestReport {
  readonly network: string;
  /** The network's name in Compose, if Compose created it. */
  readonly composeKey: string | undefined;
  readonly mode: "enforce" | "audit";
  /** Since when what is done on the network is remembered, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** The label as it is. */
  readonly present: string;
  /** Entries to add to it: what every container on the network needs. */
  readonly added: readonly string[];
  /** What some of them need beside that, for labels of their own; those who have a label are among them in any case. */
  readonly containers: readonly {
    readonly name: string;
    /** True for a service of Compose, however many containers it has. */
    readonly isService: boolean;
    readonly present: string;
    readonly added: readonly string[];
  }[];
  /** The label `dockerwall.types`, and what to add to it. */
  readonly types: { readonly present: string; readonly added: readonly string[] };
  /** What to know about the entries; one sentence each. */
  readonly notes: readonly string[];
  readonly leftOut: readonly { readonly what: string; readonly why: string }[];
  /** Entries of the label that nothing has used. */
  readonly unused: readonly string[];
}
