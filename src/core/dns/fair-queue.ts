// Places for running work, shared fairly among networks and their askers. Each asker has its own bound and queue. The
// askers of one network together may have as many places as are left free: alone they get half of them, two networks a
// third each, and so on, so that a network that comes finds room however slow the others' work is. Networks are served in
// turn, and so are the askers of each, so that one asker's flood waits only behind itself.

export interface FairQueueLimits {
  /** Work under way in all, and for one asker. */
  readonly running: number;
  readonly runningPerAsker: number;
  /** Waiting work, in all and for one asker; more is refused at once. */
  readonly waiting: number;
  readonly waitingPerAsker: number;
}

/** One piece of work that wants a place. */
export interface Turn {
  /** Called when it gets a place; may be called before `enter` returns. */
  readonly start: () => void;
  /** Called if it was waiting and gives way to a network, or an asker, with less work: it will not start. */
  readonly refuse: () => void;
}

/** What one asker has. */
interface Share {
  readonly asker: string;
  readonly network: NetworkShare;
  running: number;
  /** Made with the first that waits: mostly nothing does. */
  waiting: Set<Turn> | undefined;
}

/** What the askers of one network have together. */
interface NetworkShare {
  readonly name: string;
  running: number;
  waiting: number;
  /** Its askers with waiting work and room of their own; a Set keeps the order of turns. Made with the first. */
  ready: Set<Share> | undefined;
}

export class FairQueue {
  readonly #limits: FairQueueLimits;
  readonly #shares = new Map<string, Share>();
  readonly #networks = new Map<string, NetworkShare>();
  /** Networks with ready askers, in the order of turns. */
  readonly #ready = new Set<NetworkShare>();
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

  /**
   * Starts the work now or later, or refuses it. Started work must `leave`; waiting work may `withdraw`.
   * @param network whose askers share its part; an asker's own where none is said. It stays the same while it has work.
   */
  enter(asker: string, turn: Turn, network = asker): "started" | "waiting" | "refused" {
    const share = this.#shareOf(asker, network);
    const { runningPerAsker, waitingPerAsker } = this.#limits;
    const waiting = share.waiting?.size ?? 0;
    if (waiting === 0 && share.running < runningPerAsker && this.#hasRoom(share.network)) {
      this.#start(share, turn);
      return "started";
    }
    if (waiting >= waitingPerAsker || !this.#makeRoom(share)) {
      this.#settle(share);
      return "refused";
    }
    share.waiting ??= new Set();
    share.waiting.add(turn);
    share.network.waiting++;
    this.#waiting++;
    this.#settle(share);
    return "waiting";
  }

  withdraw(asker: string, turn: Turn): void {
    const share = this.#shares.get(asker);
    if (share !== undefined && this.#unqueue(share, turn)) this.#settle(share);
  }

  leave(asker: string): void {
    const share = this.#shares.get(asker);
    if (share === undefined) return;
    this.#running--;
    share.running--;
    share.network.running--;
    this.#settle(share);
    this.#serve();
  }

  /** Never for the last free place of a network that has some: it is another's. */
  #hasRoom(network: NetworkShare): boolean {
    return network.running < this.#limits.running - this.#running;
  }

  /** Work that is over as soon as it starts leaves from in here: it does not serve the next one itself. */
  #serve(): void {
    if (this.#isServing || this.#ready.size === 0) return;
    this.#isServing = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) this.#startFirst(next);
    } finally {
      this.#isServing = false;
    }
  }

  #next(): Share | undefined {
    for (const network of this.#ready) {
      if (!this.#hasRoom(network)) continue;
      const [share] = network.ready ?? [];
      return share;
    }
    return undefined;
  }

  #startFirst(share: Share): void {
    const { network, waiting } = share;
    const [turn] = waiting ?? [];
    // Both get behind the others; settling puts them back.
    network.ready?.delete(share);
    this.#ready.delete(network);
    if (turn === undefined) this.#settle(share);
    else {
      this.#unqueue(share, turn);
      this.#start(share, turn);
    }
  }

  #start(share: Share, turn: Turn): void {
    this.#running++;
    share.running++;
    share.network.running++;
    this.#settle(share);
    turn.start();
  }

  #unqueue({ waiting, network }: Share, turn: Turn): boolean {
    if (waiting?.delete(turn) !== true) return false;
    network.waiting--;
    this.#waiting--;
    return true;
  }

  /**
   * When the queue is full, the network with the most waiting work gives up some: of its asker with most, the first. So no
   * few askers fill it, and no network.
   */
  #makeRoom(share: Share): boolean {
    if (this.#waiting < this.#limits.waiting) return true;
    const crowd = this.#crowdWith(share);
    const [turn] = crowd.waiting ?? [];
    if (crowd === share || turn === undefined) return false;
    this.#unqueue(crowd, turn);
    this.#settle(crowd);
    turn.refuse();
    return true;
  }

  /** Who would have most with one more of this one's. */
  #crowdWith(share: Share): Share {
    let { network } = share;
    for (const other of this.#networks.values())
      if (other.waiting > network.waiting + Number(network === share.network)) network = other;
    let crowd: Share | undefined = network === share.network ? share : undefined;
    let most = crowd === undefined ? 0 : (share.waiting?.size ?? 0) + 1;
    for (const other of this.#shares.values()) {
      const size = other.network === network ? (other.waiting?.size ?? 0) : 0;
      if (size > most) [crowd, most] = [other, size];
    }
    return crowd ?? share;
  }

  #shareOf(asker: string, name: string): Share {
    const known = this.#shares.get(asker);
    if (known !== undefined) return known;
    let network = this.#networks.get(name);
    if (network === undefined) {
      network = { name, running: 0, waiting: 0, ready: undefined };
      this.#networks.set(name, network);
    }
    const fresh = { asker, network, running: 0, waiting: undefined };
    this.#shares.set(asker, fresh);
    return fresh;
  }

  /** Says whether an asker, and so its network, is ready for its next turn, and forgets what is without work. */
  #settle(share: Share): void {
    const { network, running } = share;
    const waiting = share.waiting?.size ?? 0;
    if (waiting > 0 && running < this.#limits.runningPerAsker) {
      network.ready ??= new Set();
      network.ready.add(share);
    } else network.ready?.delete(share);
    if (network.ready !== undefined && network.ready.size > 0) this.#ready.add(network);
    else this.#ready.delete(network);
    if (running > 0 || waiting > 0) return;
    this.#shares.delete(share.asker);
    if (network.running === 0 && network.waiting === 0) this.#networks.delete(network.name);
  }
}
