// What servers of TLS say for what they have accepted.

import { record, vector } from "../tls/build-hello.ts";
import { naiveHello } from "../tls/naive-hello.ts";

const retryRandom = Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex");

function serverHello(random: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from("0303", "hex"), random, Buffer.from("00130100", "hex")]);
  return record(Buffer.concat([Buffer.from([2]), vector(body, 3)]), 22, 0x0303);
}

export const hello = serverHello(Buffer.alloc(32, 0x51));
export const retry = serverHello(retryRandom);
export const alert = Buffer.from("15030300020228", "hex");

/** The hellos in a stream, one behind the other, with what says nothing between them; each name as it was sent. */
export function hellosIn(stream: Buffer): { readonly names: string[]; readonly end: number } {
  const names: string[] = [];
  let at = 0;
  while (at + 5 <= stream.length) {
    const found = naiveHello(stream.subarray(at));
    if (found !== undefined) names.push(found.asked);
    else if (stream[at] === 22 || ![20, 23].includes(stream[at] ?? 0)) break;
    at += found?.length ?? 5 + stream.readUInt16BE(at + 3);
    if (at > stream.length) break;
  }
  return { names, end: at };
}

/** One that asks for a second hello, or does not; with what a naive server does of it. */
export function answerOf(asksAgain: boolean): (accepted: Buffer) => Uint8Array {
  return (accepted) => {
    const { names } = hellosIn(accepted);
    if (names.length === 0) return Buffer.alloc(0);
    if (!asksAgain) return Buffer.concat([hello, Buffer.alloc(900, 0x17)]);
    return names.length === 1 ? retry : Buffer.concat([retry, hello, Buffer.alloc(900, 0x17)]);
  };
}
