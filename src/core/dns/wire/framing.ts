// DNS messages in a byte stream, each after two bytes of length (RFC 1035 4.2.2, RFC 7766 8). Pieces may be cut
// anywhere, even inside the length; memory is at most one message, and each byte is copied once.

import { readWord, writeWord } from "./words.ts";

export interface FrameReader {
  /** The messages that end within this piece, in order. */
  push(piece: Uint8Array): readonly Uint8Array[];
  /** The same one by one, each cut out when it is asked for; to be read to its end before the next piece. */
  each(piece: Uint8Array): IterableIterator<Uint8Array>;
  /** True between messages. */
  readonly atBoundary: boolean;
}

/** Makes a reader at the start of a stream. */
export function createFrameReader(): FrameReader {
  const prefix = new Uint8Array(2);
  let prefixFilled = 0;
  let message = new Uint8Array(0);
  let filled = 0;
  function* each(piece: Uint8Array): IterableIterator<Uint8Array> {
    let offset = 0;
    while (offset < piece.length) {
      if (prefixFilled < 2) {
        prefix[prefixFilled++] = piece[offset++] ?? 0;
        if (prefixFilled < 2) continue;
        message = new Uint8Array(readWord(prefix, 0));
        filled = 0;
      } else {
        const part = piece.subarray(offset, offset + message.length - filled);
        message.set(part, filled);
        filled += part.length;
        offset += part.length;
      }
      if (filled === message.length) {
        prefixFilled = 0;
        yield message;
      }
    }
  }

  return {
    push: (piece) => [...each(piece)],
    each,
    get atBoundary() {
      return prefixFilled === 0;
    },
  };
}

/** The message with its length before it, in one piece, so that one segment carries both. */
export function renderFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  writeWord(frame, 0, message.length);
  frame.set(message, 2);
  return frame;
}
