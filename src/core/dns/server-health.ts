// How one upstream server does: how fast it answers, and whether it is left alone for having failed.

/** Silence from here on counts as a failure, ms. */
const silenceMs = 1_000;
const firstRestMs = 500;
const maxRestMs = 30_000;

export class ServerHealth {
  readonly #rank: number;
  #rttMs: number;
  #restMs = 0;
  #restsUntilMs = -Infinity;
  #answeredAtMs = -Infinity;

  /** @param rank its place in the configuration, by which servers are ordered that have not been asked yet */
  constructor(rank: number) {
    this.#rank = rank;
    this.#rttMs = rank;
  }

  /** Smoothed time to an answer, ms. */
  get rttMs(): number {
    return this.#rttMs;
  }

  isResting(nowMs: number): boolean {
    return nowMs < this.#restsUntilMs;
  }

  noteAnswer(tookMs: number, nowMs: number): void {
    this.#answeredAtMs = nowMs;
    this.#rttMs = this.#rttMs <= this.#rank ? tookMs : this.#rttMs * 0.7 + tookMs * 0.3;
    this.#restMs = 0;
    this.#restsUntilMs = -Infinity;
  }

  /** Each failure doubles the rest. */
  noteFailure(nowMs: number): void {
    this.#restMs = Math.min(maxRestMs, this.#restMs === 0 ? firstRestMs : this.#restMs * 2);
    this.#restsUntilMs = nowMs + this.#restMs;
  }

  /**
   * It was asked and had not answered after this long, when another answered or time ran out. Who has answered others
   * meanwhile is silent for the name's sake: else who asks for a dead zone would slow down all others' lookups.
   */
  noteSilence(elapsedMs: number, nowMs: number): void {
    if (this.#answeredAtMs > nowMs - elapsedMs) return;
    this.#rttMs = Math.max(this.#rttMs, elapsedMs);
    if (elapsedMs >= silenceMs) this.noteFailure(nowMs);
  }

  /** To be called while it is not asked, so that it is tried again. */
  decay(): void {
    this.#rttMs *= 0.98;
  }
}
