// What waits until more is known of a container: lookups for their asker, their sandbox, or a name that a new container
// may have; the engine's own lookups; packets of new containers. Fail closed is decided here, once: what waits is judged
// again with each new fact; what cannot be decided by its deadline, or fails, or finds no place, is refused; each is
// decided or refused once; and an asker with many waiting takes no other's places. Time is an argument.

import { contain, type OnFailure, tellFailure } from "./contain.ts";

/** One that waits. */
export interface Waiter {
  /** Whose share of the places it takes. */
  readonly asker: string;
  /** It is refused then, by `nowMs`. */
  readonly deadlineAtMs: number;
  /** Does what is known to be right by now, or nothing: nothing may be done by half of what there is to know. */
  decide(): "decided" | "waits";
  /** Nothing settled it in time, or deciding failed. */
  refuse(): void;
}

export interface WaitingOptions {
  /** Places, of one asker and of all. */
  readonly perAsker: number;
  readonly inAll: number;
  /** How often all are judged though nobody has said that more is known, ms; never by default. */
  readonly againEveryMs?: number;
  /** Called before any are judged: takes in what can be seen by now. Where it throws, all wait. */
  readonly look?: () => void;
  /** Milliseconds that only go forward. */
  readonly nowMs: () => number;
  /** Does the work once, after so many milliseconds. @returns how to call that off */
  readonly after: (ms: number, work: () => void, onFailure: OnFailure) => () => void;
  /** Told of what fails: it keeps no other from being judged. */
  readonly onFailure: OnFailure;
}

export class Waiting<Kind extends Waiter = Waiter> {
  readonly #options: WaitingOptions;
  /** Oldest first. */
  readonly #waiters = new Set<Kind>();
  readonly #counts = new Map<string, number>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** It will be decided, or refused. @returns false where it must be refused at once: without a place, or without time */
  add(waiter: Kind): boolean {
    const { perAsker, inAll, nowMs } = this.#options;
    const its = this.#counts.get(waiter.asker) ?? 0;
    if (its >= perAsker || this.#waiters.size >= inAll || nowMs() >= waiter.deadlineAtMs) return false;
    this.#counts.set(waiter.asker, its + 1);
    this.#waiters.add(waiter);
    this.#time(waiter.deadlineAtMs);
    return true;
  }

  /** More is known. @param asker of this one only */
  judge(asker?: string): void {
    if (this.#waiters.size === 0) return;
    if (this.#look()) this.#judgeThose((waiter) => asker === undefined || waiter.asker === asker);
    else this.#refuseOverdue();
  }

  /** @returns those that wait still; none of them is judged any more */
  end(): readonly Kind[] {
    const left = [...this.#waiters];
    this.#waiters.clear();
    this.#counts.clear();
    this.#timeNext();
    return left;
  }

  /** @returns whether what can be seen was taken in: by what was known before, one may pass whom it would have refused */
  #look(): boolean {
    const { look, onFailure } = this.#options;
    try {
      look?.();
      return true;
    } catch (error) {
      tellFailure(error, onFailure);
      return false;
    }
  }

  #refuseOverdue(): void {
    const now = this.#options.nowMs();
    for (const waiter of [...this.#waiters])
      if (waiter.deadlineAtMs <= now && this.#remove(waiter)) this.#refuse(waiter);
    this.#timeNext();
  }

  /** Nobody has said that more is known: those whose time is not over would be judged for nothing. */
  #judgeOverdue(): void {
    const now = this.#options.nowMs();
    this.#judgeThose(({ deadlineAtMs }) => deadlineAtMs <= now);
  }

  #judgeThose(isChosen: (waiter: Kind) => boolean): void {
    for (const waiter of [...this.#waiters].filter(isChosen)) {
      // Another's decision may have ended all.
      if (this.#waiters.has(waiter)) this.#judge(waiter);
    }
    this.#timeNext();
  }

  #judge(waiter: Kind): void {
    const { nowMs, onFailure } = this.#options;
    let outcome: "decided" | "waits" | "refused";
    try {
      outcome = waiter.decide();
    } catch (error) {
      tellFailure(error, onFailure);
      outcome = "refused";
    }
    if (outcome === "waits" && nowMs() < waiter.deadlineAtMs) return;
    if (!this.#remove(waiter) || outcome === "decided") return;
    this.#refuse(waiter);
  }

  #refuse(waiter: Kind): void {
    contain(() => waiter.refuse(), this.#options.onFailure);
  }

  #remove(waiter: Kind): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    const left = (this.#counts.get(waiter.asker) ?? 1) - 1;
    if (left === 0) this.#counts.delete(waiter.asker);
    else this.#counts.set(waiter.asker, left);
    return true;
  }

  #timeNext(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiters.size === 0) return;
    let first = Number.POSITIVE_INFINITY;
    for (const { deadlineAtMs } of this.#waiters) first = Math.min(first, deadlineAtMs);
    this.#time(first);
  }

  #time(deadlineAtMs: number): void {
    const { againEveryMs = Number.POSITIVE_INFINITY, nowMs, after, onFailure } = this.#options;
    const now = nowMs();
    const atMs = Math.min(deadlineAtMs, now + againEveryMs);
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    const work = (): void => {
      this.#timer = undefined;
      if (Number.isFinite(againEveryMs)) this.judge();
      else this.#judgeOverdue();
    };
    const cancel = after(Math.max(0, atMs - now), work, onFailure);
    this.#timer = { atMs, cancel };
  }
}
