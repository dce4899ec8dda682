// How long a grant lives, and the TTL in the client's answer: always shorter than the grant
// (property 2 of docs/security.md).

export interface LeaseSettings {
  /** Least life of a grant before the grace, seconds. */
  readonly floorSeconds: number;
  /** How much longer a grant lives than the TTL in the client's answer, seconds. */
  readonly graceSeconds: number;
  /** Longest TTL in a client's answer, seconds. */
  readonly ceilingSeconds: number;
}

/** The TTL in the client's answer: never more than upstream's, and 0 stays 0. */
export function toldSeconds(lease: LeaseSettings, ttlSeconds: number): number {
  return Math.max(0, Math.min(ttlSeconds, lease.ceilingSeconds));
}

/** Life of the grant behind an answer with a TTL of `told` seconds. */
export function leaseSeconds(lease: LeaseSettings, told: number): number {
  return Math.max(lease.floorSeconds, told) + lease.graceSeconds;
}
