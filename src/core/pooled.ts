// Memory for messages, cut from larger pieces: an array with a buffer of its own is two objects more, and a piece of
// memory outside of the heap that is let go of by itself. What is kept for long is to be copied: it would keep its whole
// piece. As Buffer.allocUnsafe() does it, but arrays: slice() of a Buffer is no copy.

const pieceBytes = 16_384;
let piece = new ArrayBuffer(pieceBytes);
let used = 0;

/** Bytes, all of them nought. */
export function pooled(length: number): Uint8Array<ArrayBuffer> {
  if (length > pieceBytes / 8) return new Uint8Array(length);
  if (used + length > pieceBytes) {
    piece = new ArrayBuffer(pieceBytes);
    used = 0;
  }
  const bytes = new Uint8Array(piece, used, length);
  used += length;
  return bytes;
}
