// How many messages a socket is served before the others have their turn. Alone it is served by the dozen, which costs
// least. While others are asked too, what they wait for is what each of the rest is served at a time: so a few of each.

/** Who is served alone may be served so many. */
const alone = 64;
/** And beside others: their lookups wait for less than the answer to one that nobody has asked before takes. */
const besideOthers = 8;
/** For how long one that was served is taken into account, ms. */
const rememberedMs = 50;

export class Shares<Socket> {
  #last: Socket | undefined;
  #besideOthersUntilMs = Number.NEGATIVE_INFINITY;

  /** A socket is served. @returns how many of its messages at most */
  next(socket: Socket, nowMs: number): number {
    if (this.#last !== undefined && this.#last !== socket) this.#besideOthersUntilMs = nowMs + rememberedMs;
    this.#last = socket;
    return nowMs < this.#besideOthersUntilMs ? besideOthers : alone;
  }
}
