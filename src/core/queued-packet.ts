// Packets that wait in a queue of the kernel's, as plain data.

export interface QueuedPacket {
  /** The kernel's, for the verdict on it. */
  readonly id: number;
  readonly mark: number;
  /** As much of it as was wanted, from the IP header on. */
  readonly payload: Uint8Array;
  /** The packet is longer than that. */
  readonly isCut: boolean;
}

/** A queue on its way from who has read it to who goes on with it. */
export interface OpenQueue {
  readonly fd: number;
  /** What was read of it, and waits for its verdict still. */
  readonly read: readonly QueuedPacket[];
  /** How often the kernel found it full, which nobody has counted yet. */
  readonly overflows: number;
}
