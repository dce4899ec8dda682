// Why a request is not let through. A reader that guessed would guess otherwise than some server, and what one takes for
// a body is another one's next request: so whatever is not written in the one plain way is refused.

/** A closed set; `sentenceOf` says what each means. */
export type HttpRefusal = keyof typeof sentences;

export interface Refused {
  readonly refusal: HttpRefusal;
}

const sentences = {
  "not-http": "it does not begin as a request of HTTP/1 does",
  "http-2": "it speaks HTTP/2 without TLS, whose requests are not read",
  tunnel: "it asks for a tunnel by CONNECT",
  target: "its target is neither a path, nor an http:// URL, nor the * of OPTIONS",
  version: "its version is neither HTTP/1.0 nor HTTP/1.1",
  "line-end": "a line of it ends by other than CR and LF together",
  "control-byte": "it has a control character in its head",
  "folded-field": "a field of it goes on in a second line",
  "field-name": "it has a field whose name is misspelt, or is followed by other than a colon",
  "no-host": "it has no Host field",
  "two-hosts": "it has two Host fields",
  "host-form": "its host is not one domain name, with a port or without",
  "host-address": "its host is an address, not a name",
  "host-differs": "its target and its Host field name different hosts",
  "content-length": "its Content-Length is not one decimal number",
  "transfer-encoding": "its Transfer-Encoding is not one `chunked`, in HTTP/1.1",
  "two-framings": "it has both Content-Length and Transfer-Encoding",
  "connection-option": "its Connection field names a field that every server on the way must see",
  expectation: "it expects other than 100-continue",
  upgrade: "it asks to change to another protocol than WebSocket or h2c, or not in their way",
  "head-too-long": "its head is longer than 16 KB",
  "too-many-fields": "it has more than 100 fields",
  "chunk-size": "the size of a chunk is not up to 8 hexadecimal digits, or is 2 GB or more",
  "chunk-extension": "the extensions of a chunk are longer than 256 bytes, or not plain text",
  "chunk-end": "a chunk is longer or shorter than its size",
  "trailer-field": "it has a field behind its body that belongs before it",
  "trailers-too-long": "its fields behind the body are longer than 4 KB",
} as const;

/** For a sentence that begins with what was refused, without a full stop. */
export function sentenceOf(refusal: HttpRefusal): string {
  return sentences[refusal];
}
