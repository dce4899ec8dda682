// What there is to say about tables of the kernel that have no room left: each costs somebody packets or records.

export interface TableReadings {
  /** Tables of limits that are full, by name: sources that are not in one are dropped. */
  readonly limitsFull: readonly string[];
  /** Flows that are tracked and may be tracked, of the whole host; undefined when it cannot be read. */
  readonly flows: { readonly count: number; readonly most: number } | undefined;
  /** Packets that queues of this host did not take since they were opened. */
  readonly queueDropped: number;
  /** Sets of denied connections that are full. */
  readonly setsFull: readonly string[];
}

/** One sentence for each. */
export function fullTables({ limitsFull, flows, queueDropped, setsFull }: TableReadings): string[] {
  return [
    ...limitsFull.map((name) => `the table of limits ${name} is full: packets of more sources are dropped`),
    ...(flows !== undefined && flows.count >= flows.most * 0.9
      ? [
          `connection tracking is nearly full (${flows.count} of ${flows.most} flows): new connections of the whole host are dropped; raise net.netfilter.nf_conntrack_max or find who opens them`,
        ]
      : []),
    ...(queueDropped > 0
      ? [
          `${queueDropped} packets were dropped by packet queues of this host (NFQUEUE) because too many waited; who sent them sends them again`,
        ]
      : []),
    ...setsFull.map((name) => `set ${name} is full: not every denied connection is remembered`),
  ];
}
