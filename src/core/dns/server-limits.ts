// What one upstream server does not cope with, as its answers have shown. It is remembered for a while only: a server is
// replaced, and one forged answer must not weaken our queries for good.

/** ms. */
const memoryMs = 600_000;

export class ServerLimits {
  #plainUntilMs = -Infinity;
  #foldsUntilMs = -Infinity;

  /** Whether queries may carry EDNS. */
  knowsEdns(nowMs: number): boolean {
    return nowMs >= this.#plainUntilMs;
  }

  /** Whether its answers repeat a name in the case in which it was asked. */
  keepsCase(nowMs: number): boolean {
    return nowMs >= this.#foldsUntilMs;
  }

  noteNoEdns(nowMs: number): void {
    this.#plainUntilMs = nowMs + memoryMs;
  }

  noteFolding(nowMs: number): void {
    this.#foldsUntilMs = nowMs + memoryMs;
  }
}
