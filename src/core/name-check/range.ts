// Sequence numbers of TCP: they run in a circle of 2^32 (RFC 9293 3.4), so that two of them can be compared only if
// they are less than half of it apart. A window is at most a quarter (RFC 7323 2.3).

/** The sequence number so many bytes on; `bytes` may be negative. */
export function advance(sequence: number, bytes: number): number {
  return (sequence + bytes) >>> 0;
}

/** How many bytes `to` is ahead of `from`: -2^31 to 2^31 - 1, negative when it is behind. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

/** Whether `first` comes earlier in the stream; of two exactly opposite each other neither does. */
export function before(first: number, second: number): boolean {
  return distance(first, second) > 0;
}
