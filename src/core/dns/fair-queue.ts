// Places for running work, shared fairly among askers: each asker has its own bound and queue, and the queues are served
// in turn, so that one asker's flood waits only behind itself.

import { DockerwallError } from "../../errors.ts";

export interface FairQueueLimits {
  /** Work under way in all, and for one asker. */
  readonly running: number;
  readonly runningPerAsker: number;
  /** Waiting work, in all and for one asker; more is refused at once. */
  readonly waiting: number;
  readonly waitingPerAsker: number;
}

const noTurnTexts = {
  /** Its asker has too much work under way. */
  crowded: "this container has too many lookups under way",
  /** Too little time was left when its turn came. */
  late: "the lookup waited too long for its turn",
  /** The client no longer waits for the answer. */
  gone: "its client has closed the connection",
  /** It may not be asked, nor answered, any more. */
  denied: "the name is no longer allowed: what allowed it ended, or was changed, during the lookup",
} as const;

/** The reason is the asker's own load, or its policy, not an upstream: the failure must not reach other askers. */
export class NoTurnError extends DockerwallError {
  readonly reason: keyof typeof noTurnTexts;

  constructor(reason: keyof typeof noTurnTexts) {
    super("INTERNAL", noTurnTexts[reason]);
    this.name = "NoTurnError";
    this.reason = reason;
  }
}

/** One piece of work that wants a place. */
export interface Turn {
  /** Called when it gets a place; may be called before `enter` returns. */
  readonly start: () => void;
  /** Called if it was waiting and gives way to an asker with less work: it will not start. */
  readonly refuse: () => void;
}

/** What one asker has. */
interface Share {
  running: number;
  readonly waiting: Set<Turn>;
}

export class FairQueue {
  readonly #limits: FairQueueLimits;
  readonly #shares = new Map<string, Share>();
  /** Askers with waiting work and room of their own; a Set keeps the order of turns. */
  readonly #ready = new Set<string>();
  #running = 0;
  #waiting = 0;
  #isServing = false;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Starts the work now or later, or refuses it. Started work must `leave`; waiting work may `withdraw`. */
  enter(asker: string, turn: Turn): "started" | "waiting" | "refused" {
    const share = this.#shareOf(asker);
    const { running, runningPerAsker, waitingPerAsker } = this.#limits;
    if (this.#running < running && share.running < runningPerAsker && share.waiting.size === 0) {
      this.#start(asker, share, turn);
      return "started";
    }
    if (share.waiting.size >= waitingPerAsker || !this.#makeRoom(asker, share.waiting.size)) {
      this.#settle(asker);
      return "refused";
    }
    share.waiting.add(turn);
    this.#waiting++;
    this.#settle(asker);
    return "waiting";
  }

  withdraw(asker: string, turn: Turn): void {
    if (this.#shares.get(asker)?.waiting.delete(turn) !== true) return;
    this.#waiting--;
    this.#settle(asker);
  }

  leave(asker: string): void {
    this.#running--;
    this.#shareOf(asker).running--;
    this.#settle(asker);
    this.#serve();
  }

  /** Work that is over as soon as it starts leaves from in here: it does not serve the next one itself. */
  #serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      this.#serveAll();
    } finally {
      this.#isServing = false;
    }
  }

  #serveAll(): void {
    while (this.#running < this.#limits.running) {
      const [asker] = this.#ready;
      if (asker === undefined) return;
      const share = this.#shareOf(asker);
      const [turn] = share.waiting;
      this.#ready.delete(asker);
      if (turn === undefined) continue;
      share.waiting.delete(turn);
      this.#waiting--;
      this.#start(asker, share, turn);
    }
  }

  #start(asker: string, share: Share, turn: Turn): void {
    this.#running++;
    share.running++;
    this.#settle(asker);
    turn.start();
  }

  /** When the queue is full, the asker with the most waiting work gives up its first, so that no few askers fill it. */
  #makeRoom(asker: string, own: number): boolean {
    if (this.#waiting < this.#limits.waiting) return true;
    let crowd = asker;
    let most = own + 1;
    for (const [other, { waiting }] of this.#shares) {
      if (waiting.size > most) [crowd, most] = [other, waiting.size];
    }
    const [turn] = this.#shares.get(crowd)?.waiting ?? [];
    if (crowd === asker || turn === undefined) return false;
    this.withdraw(crowd, turn);
    turn.refuse();
    return true;
  }

  #shareOf(asker: string): Share {
    const known = this.#shares.get(asker);
    if (known !== undefined) return known;
    const fresh = { running: 0, waiting: new Set<Turn>() };
    this.#shares.set(asker, fresh);
    return fresh;
  }

  /** Says whether an asker is ready for its next turn, and forgets one without work. */
  #settle(asker: string): void {
    const share = this.#shares.get(asker);
    if (share === undefined) return;
    if (share.running === 0 && share.waiting.size === 0) this.#shares.delete(asker);
    if (share.waiting.size > 0 && share.running < this.#limits.runningPerAsker) this.#ready.add(asker);
    else this.#ready.delete(asker);
  }
}
