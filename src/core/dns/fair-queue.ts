// Places for running work, shared fairly among askers: each asker has its own bound and queue, and the queues are served
// in turn, so that one asker's flood waits only behind itself (promise P9).

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
} as const;

/** The asker's own load is the reason, not an upstream: the failure must not reach other askers. */
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

export interface FairQueue {
  /** Starts the work now or later, or refuses it. Started work must `leave`; waiting work may `withdraw`. */
  enter(asker: string, turn: Turn): "started" | "waiting" | "refused";
  withdraw(asker: string, turn: Turn): void;
  leave(asker: string): void;
  readonly running: number;
  readonly waiting: number;
}

/** Makes an empty queue. */
export function createFairQueue(limits: FairQueueLimits): FairQueue {
  const askers = new Map<string, { running: number; readonly waiting: Set<Turn> }>();
  /** Askers with waiting work and room of their own; a Set keeps the order of turns. */
  const ready = new Set<string>();
  let running = 0;
  let waiting = 0;

  const stateOf = (asker: string): { running: number; readonly waiting: Set<Turn> } => {
    const known = askers.get(asker);
    if (known !== undefined) return known;
    const fresh = { running: 0, waiting: new Set<Turn>() };
    askers.set(asker, fresh);
    return fresh;
  };
  const settle = (asker: string): void => {
    const state = askers.get(asker);
    if (state === undefined) return;
    if (state.running === 0 && state.waiting.size === 0) askers.delete(asker);
    if (state.waiting.size > 0 && state.running < limits.runningPerAsker) ready.add(asker);
    else ready.delete(asker);
  };
  /** When the queue is full, the asker with the most waiting work gives up its first, so that no few askers fill it. */
  const makeRoom = (asker: string, own: number): boolean => {
    if (waiting < limits.waiting) return true;
    let crowd = asker;
    let most = own + 1;
    for (const [other, state] of askers) {
      if (state.waiting.size > most) [crowd, most] = [other, state.waiting.size];
    }
    const [turn] = askers.get(crowd)?.waiting ?? [];
    if (crowd === asker || turn === undefined) return false;
    withdraw(crowd, turn);
    turn.refuse();
    return true;
  };
  const withdraw = (asker: string, turn: Turn): void => {
    const state = askers.get(asker);
    if (state?.waiting.delete(turn) !== true) return;
    waiting--;
    settle(asker);
  };
  const serve = (): void => {
    while (running < limits.running) {
      const [asker] = ready;
      if (asker === undefined) return;
      const state = stateOf(asker);
      const [turn] = state.waiting;
      ready.delete(asker);
      if (turn === undefined) continue;
      state.waiting.delete(turn);
      waiting--;
      running++;
      state.running++;
      settle(asker);
      turn.start();
    }
  };

  return {
    enter(asker, turn) {
      const state = stateOf(asker);
      if (running < limits.running && state.running < limits.runningPerAsker && state.waiting.size === 0) {
        running++;
        state.running++;
        turn.start();
        return "started";
      }
      if (state.waiting.size >= limits.waitingPerAsker || !makeRoom(asker, state.waiting.size)) {
        settle(asker);
        return "refused";
      }
      state.waiting.add(turn);
      waiting++;
      settle(asker);
      return "waiting";
    },
    withdraw,
    leave(asker) {
      running--;
      stateOf(asker).running--;
      settle(asker);
      serve();
    },
    get running() {
      return running;
    },
    get waiting() {
      return waiting;
    },
  };
}
