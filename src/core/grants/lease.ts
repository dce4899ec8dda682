// How long a grant lives, and the TTL in the client's answer: always shorter than the grant
// (property 2 of docs/security.md).

export interface LeaseSettings {
  /** Least life of a grant before the grace, seconds. */
  readonly floorSeconds: number;
  /** What a grant lives longer than the TTL that the client was told, seconds. */
  readonly graceSeconds: number;
  /** Most that a client is told, seconds. */
  readonly ceilingSeconds: number;
}

/** What the client is told: never more than upstream said, and 0 stays 0. */
export function toldSeconds(lease: LeaseSettings, ttlSeconds: number): number {
  return Math.max(0, Math.min(ttlSeconds, lease.ceilingSeconds));
}

/** Life of the grant behind an answer that was told `told` seconds. */
export function leaseSeconds(lease: LeaseSettings, told: number): number {
  return Math.max(lease.floorSeconds, told) + lease.graceSeconds;
}
