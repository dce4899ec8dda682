// 16-bit words in network order. Reading past the end returns zeros: bounds are checked where they matter.

/** The word at `offset`. */
export function readWord(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** Writes the low 16 bits of `value` at `offset`. */
export function writeWord(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}
