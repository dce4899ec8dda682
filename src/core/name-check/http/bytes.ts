// What each byte may be a part of (RFC 9110 section 5.6, RFC 9112 section 3.2).

export const bytesOf = {
  tab: 0x09,
  lf: 0x0a,
  cr: 0x0d,
  space: 0x20,
  asterisk: 0x2a,
  slash: 0x2f,
  colon: 0x3a,
  semicolon: 0x3b,
  question: 0x3f,
} as const;

/** Bits of a class of bytes. */
export const classes = {
  /** In methods and names of fields. */
  token: 1,
  /** In values of fields: all but control characters; a tab is none. */
  value: 2,
  /** In targets: as in values, but no blanks. Older clients send paths in raw UTF-8. */
  target: 4,
  /** In extensions of chunks: as in values, but ASCII only. */
  extension: 8,
} as const;

const classOf = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const isVisible = byte > 0x20 && byte !== 0x7f;
  const isBlank = byte === bytesOf.space || byte === bytesOf.tab;
  if (/[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte))) classOf[byte] = classes.token;
  if (isVisible) classOf[byte] = (classOf[byte] ?? 0) | classes.target;
  if (isVisible || isBlank) classOf[byte] = (classOf[byte] ?? 0) | classes.value;
  if ((isVisible && byte < 0x80) || isBlank) classOf[byte] = (classOf[byte] ?? 0) | classes.extension;
}

/** The offset of the first byte of this range that is not of the class; its end when all are. */
export function skip(bytes: Uint8Array, from: number, to: number, wanted: number): number {
  let at = from;
  while (at < to && ((classOf[bytes[at] ?? 0] ?? 0) & wanted) !== 0) at++;
  return at;
}
