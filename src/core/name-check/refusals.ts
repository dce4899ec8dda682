// Why the name of a connection is refused where it could not be read: a closed set, each with its sentence. A name that
// could not be read is a refused name.

const unchecked = "to leave this port unchecked, write the entry with /tcp, as in api.example.com:443/tcp";

const sentences = {
  "not-tls": `it does not begin as TLS does; ${unchecked}`,
  "not-a-hello": `it sent something else where TLS begins with a ClientHello; ${unchecked}`,
  "malformed-hello": `the lengths in its ClientHello do not add up; ${unchecked}`,
  "long-hello": `its ClientHello is longer than 16,384 bytes or in more than 16 records; ${unchecked}`,
  "no-name": `it did not say which name it wants (SNI); have the client ask by the name, not the address, or, ${unchecked}`,
  "not-one-name": `its ClientHello has more in its server_name than one host name; ${unchecked}`,
  "odd-name": `what it asks for is not a domain name in letters a to z, digits, - and _; have the client ask in the xn-- form, or, ${unchecked}`,
  "dot-at-end": `the name that it asks for ends with a dot; have the client leave it out (RFC 6066 3), or, ${unchecked}`,
  "single-label": `the name that it asks for has no dot; have the client ask by the full name, or, ${unchecked}`,
  "address-as-name": `it asks for an address in place of a name; have the client ask by the name, or allow the address, as in 192.0.2.10:443`,
  "other-name": `when the server asked again, it asked for another name than before; ${unchecked}`,
} as const;

/** Every reason for which no name was read; the name of one is stable, as a label of counters. */
export type Refusal = keyof typeof sentences;

/** All of them. */
export const refusals = Object.keys(sentences) as readonly Refusal[];

/** What the connection did, and how to have it allowed: one sentence without its full stop, to follow a colon. */
export function sentence(refusal: Refusal): string {
  return sentences[refusal];
}
