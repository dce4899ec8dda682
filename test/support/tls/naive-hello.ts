// A second reading of ClientHellos, written to be seen through, not to be fast: it copies everything, and stops
// by an exception where bytes are missing or left over.

export interface NaiveHello {
  readonly name: string;
  readonly asked: string;
  readonly hasEch: boolean;
  readonly length: number;
}

class Bytes {
  left: Buffer;
  constructor(bytes: Uint8Array) {
    this.left = Buffer.from(bytes);
  }
  take(count: number): Buffer {
    if (this.left.length < count) throw new RangeError("bytes are missing");
    const taken = this.left.subarray(0, count);
    this.left = this.left.subarray(count);
    return taken;
  }
  number(size: number): number {
    return this.take(size).reduce((all, byte) => all * 256 + byte, 0);
  }
  vector(size: number): Bytes {
    return new Bytes(this.take(this.number(size)));
  }
  all<Item>(read: (bytes: Bytes) => Item): Item[] {
    const items: Item[] = [];
    while (this.left.length > 0) items.push(read(this));
    return items;
  }
}

function demand(isRight: boolean): void {
  if (!isRight) throw new RangeError("it is not as it has to be");
}

/** The hello at the beginning of these bytes; undefined when there is none that is whole and right. */
export function naiveHello(stream: Uint8Array): NaiveHello | undefined {
  try {
    return readNaively(stream);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readNaively(stream: Uint8Array): NaiveHello {
  const bytes = new Bytes(stream);
  const fragments: Buffer[] = [];
  const message = (): Buffer => Buffer.concat(fragments);
  const size = (): number => new Bytes(message().subarray(1)).number(3) + 4;
  do {
    demand(bytes.number(1) === 22 && bytes.number(1) === 3 && bytes.number(1) <= 4);
    const fragment = bytes.vector(2).left;
    demand(fragment.length >= 1 && fragment.length <= 2 ** 14);
    fragments.push(fragment);
  } while (message().length < 4 || message().length < size());
  demand(
    fragments.length <= 16 && message().length === size() && size() <= 2 ** 14 + 4 && message()[0] === 1,
  );
  const body = new Bytes(message().subarray(4));
  body.take(34);
  demand(body.vector(1).left.length <= 32);
  const suites = body.vector(2).all((each) => each.number(2));
  demand(suites.length > 0 && body.vector(1).left.length > 0);
  const extensions = body.vector(2).all((each) => ({ type: each.number(2), data: each.vector(2) }));
  demand(body.left.length === 0);
  const [names, ...others] = extensions.filter(({ type }) => type === 0);
  demand(names !== undefined && others.length === 0);
  const lists = names?.data.all((each) =>
    each.vector(2).all((entry) => ({ kind: entry.number(1), name: entry.vector(2).left.toString("latin1") })),
  );
  demand(lists?.length === 1 && lists[0]?.length === 1 && lists[0][0]?.kind === 0);
  const asked = lists?.[0]?.[0]?.name ?? "";
  demand(
    /^(?:[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?\.)+(?!\d+$|0x[\da-f]*$)[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/i.test(
      asked,
    ),
  );
  demand(asked.length <= 253);
  return {
    name: asked.toLowerCase(),
    asked,
    hasEch: extensions.some(({ type }) => type === 0xfe0d),
    length: stream.length - bytes.left.length,
  };
}
