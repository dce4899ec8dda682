// Why a connection is refused where the name that it asks for has to be read: a closed set, each with its sentence. A
// name that could not be read is a refused name. A reader that guessed would guess otherwise than some server, so
// whatever is not written in the one plain way is refused.

const unchecked = "to leave this port unchecked, write the entry with /tcp, as in api.example.com:443/tcp";
const again = `have the client connect again, or, ${unchecked}`;

/** Of the name itself, in whichever protocol it is asked for. */
const ofNames = {
  "not-allowed": `no entry allows the name that it asks for; add one for the name, or, ${unchecked}`,
  "odd-name": `what it asks for is not a domain name in letters a to z, digits, - and _; have the client ask in the xn-- form, or, ${unchecked}`,
  "dot-at-end": `the name that it asks for ends with a dot; have the client leave it out, or, ${unchecked}`,
  "single-label": `the name that it asks for has no dot; have the client ask by the full name, or, ${unchecked}`,
  "address-as-name": `it asks for an address in place of a name; have the client ask by the name, or allow the address, as in 192.0.2.10:443`,
} as const;

const ofTls = {
  "not-tls": `it does not begin as TLS does; ${unchecked}`,
  "not-a-hello": `it sent something else where TLS begins with a ClientHello; ${unchecked}`,
  "malformed-hello": `the lengths in its ClientHello do not add up; ${unchecked}`,
  "long-hello": `its ClientHello is longer than 16,384 bytes or in more than 16 records; ${unchecked}`,
  "no-name": `it did not say which name it wants (SNI); have the client ask by the name, not the address, or, ${unchecked}`,
  "not-one-name": `its ClientHello has more in its server_name than one host name; ${unchecked}`,
  "other-name": `when the server asked again, it asked for another name than before; ${unchecked}`,
  "early-hello": `it sent a second ClientHello before the server asked for one; ${unchecked}`,
  ech: `its ClientHello may hide another name (Encrypted ClientHello), which this network does not let pass; ${unchecked}`,
} as const;

const ofHttp = {
  "not-http": `it does not begin as a request of HTTP/1 does; ${unchecked}`,
  "http-2": `it speaks HTTP/2 without TLS, whose requests are not read; ${unchecked}`,
  tunnel: `it asks for a tunnel by CONNECT; ${unchecked}`,
  target: `its target is neither a path, nor an http:// URL, nor the * of OPTIONS; ${unchecked}`,
  version: `its version is neither HTTP/1.0 nor HTTP/1.1; ${unchecked}`,
  "line-end": `a line of it ends by other than CR and LF together; ${unchecked}`,
  "control-byte": `it has a control character in its head; ${unchecked}`,
  "folded-field": `a field of it goes on in a second line; ${unchecked}`,
  "field-name": `it has a field whose name is misspelt, or is followed by other than a colon; ${unchecked}`,
  "no-host": `it has no Host field; ${unchecked}`,
  "two-hosts": `it has two Host fields; ${unchecked}`,
  "host-form": `its host is not one name, with a port or without; ${unchecked}`,
  "host-differs": `its target and its Host field name different hosts; ${unchecked}`,
  "content-length": `its Content-Length is not one decimal number; ${unchecked}`,
  "transfer-encoding": `its Transfer-Encoding is not one \`chunked\`, in HTTP/1.1; ${unchecked}`,
  "two-framings": `it has both Content-Length and Transfer-Encoding; ${unchecked}`,
  "connection-option": `its Connection field names a field that every server on the way must see; ${unchecked}`,
  expectation: `it expects other than 100-continue; ${unchecked}`,
  upgrade: `it asks to change to another protocol than WebSocket or h2c, or not in their way; ${unchecked}`,
  "head-too-long": `its head is longer than 16 KB; ${unchecked}`,
  "too-many-fields": `it has more than 100 fields; ${unchecked}`,
  "chunk-size": `the size of a chunk is not up to 8 hexadecimal digits, or is 2 GB or more; ${unchecked}`,
  "chunk-extension": `the extensions of a chunk are longer than 256 bytes, or not plain text; ${unchecked}`,
  "chunk-end": `a chunk is longer or shorter than its size; ${unchecked}`,
  "trailer-field": `it has a field behind its body that belongs before it; ${unchecked}`,
  "trailers-too-long": `its fields behind the body are longer than 4 KB; ${unchecked}`,
} as const;

/** Of the connection that carries it. */
const ofFlows = {
  neither: `it begins neither as TLS nor as HTTP/1; ${unchecked}`,
  "server-first": `its server spoke first, which neither TLS nor HTTP/1 does; ${unchecked}`,
  "other-bytes": `it sent other bytes in place of those that were read; ${unchecked}`,
  "many-segments": `what it asks for came in more small packets than clients make of it; ${unchecked}`,
  late: `it did not say within 10 seconds which name it wants; ${unchecked}`,
  unanswered: `the server has not acknowledged within 60 seconds what it asked; ${again}`,
  switched: `the server took its offer to speak HTTP/2 without TLS, whose requests are not read; ${unchecked}`,
  "odd-answer": `the server answered its offer to change the protocol otherwise than HTTP/1 does; ${unchecked}`,
  "not-switched": `it went on where the server had not taken its offer of WebSocket; ${again}`,
  crowded: `its container had more connections whose names were to be read than fit; ${again}`,
  unknown: `its beginning was not seen, or was long ago; ${again}`,
} as const;

const sentences = { ...ofNames, ...ofTls, ...ofHttp, ...ofFlows } as const;

/** Every reason for which a connection is refused; the name of one is stable, as a label of counters. */
export type Refusal = keyof typeof sentences;

/** Those that reading a name gives, and those that reading HTTP/1 does. */
export type NameRefusal = Exclude<keyof typeof ofNames, "not-allowed">;
export type HttpRefusal = keyof typeof ofHttp | NameRefusal;

export interface Refused<Reason extends Refusal = Refusal> {
  readonly refusal: Reason;
}

/** All of them. */
export const refusals = Object.keys(sentences) as readonly Refusal[];

/** What the connection did, and how to have it allowed: one sentence without its full stop, to follow a colon. */
export function sentence(refusal: Refusal): string {
  return sentences[refusal];
}
