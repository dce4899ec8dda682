// Requests that two servers may read differently, or that leave HTTP/1, by what they are refused for.

import type { HttpRefusal } from "../../../src/core/name-check/http/refusals.ts";

type Attacks = Readonly<Record<string, string>>;

const host = "Host: www.example.org\r\n";
const evil = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";

/** A request with these fields besides its host, and this behind its head. */
function post(fields: string, behind = ""): string {
  return `POST / HTTP/1.1\r\n${host}${fields}\r\n\r\n${behind}`;
}

function get(target: string, hosts = host): string {
  return `GET ${target} HTTP/1.1\r\n${hosts}\r\n`;
}

function from(value: string): string {
  return get("/", `Host: ${value}\r\n`);
}

function chunks(...lines: readonly string[]): string {
  return post("Transfer-Encoding: chunked", lines.join("\r\n"));
}

function offer(...lines: readonly string[]): string {
  return `${["GET / HTTP/1.1", "Host: www.example.org", ...lines].join("\r\n")}\r\n\r\n`;
}

const key = "Sec-WebSocket-Key: 4J7iPTESxabxccrNo+ky6g==";

const start = {
  "not-http": {
    SSH: "SSH-2.0-OpenSSH_9.2\r\n",
    TLS: "\x16\x03\x01\x02\0\x01\0",
    "an empty line in front": `\r\n${get("/")}`,
    "a blank in front": ` ${get("/")}`,
    "no end of the method": "A".repeat(33),
    "a tab behind the method": "GET\t/ HTTP/1.1\r\n",
    "a method of other bytes": "GE\xd4 / HTTP/1.1\r\n",
    "behind a body": post("Content-Length: 1", `x\r\n${evil}`),
  },
  "http-2": { "the preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "in lower case": "pri * HTTP/1.1\r\n" },
  tunnel: {
    CONNECT: `CONNECT www.example.org:443 HTTP/1.1\r\n${host}\r\n`,
    "in mixed case": `Connect / HTTP/1.1\r\n${host}\r\n`,
  },
  target: {
    "an authority": get("www.example.org:80"),
    "no slash": get("index.html"),
    "an asterisk of GET": get("*"),
    https: get("https://www.example.org/"),
    "another scheme": get("ftp://www.example.org/"),
    "an upper case scheme": get("HTTP://www.example.org/"),
    "a scheme alone": get("http:"),
    nothing: get(""),
  },
  version: {
    "0.9": "GET /\r\n",
    "2.0": `GET / HTTP/2.0\r\n${host}\r\n`,
    "1.2": `GET / HTTP/1.2\r\n${host}\r\n`,
    "lower case": `GET / http/1.1\r\n${host}\r\n`,
    "two blanks in front": `GET /  HTTP/1.1\r\n${host}\r\n`,
    "a blank behind": `GET / HTTP/1.1 \r\n${host}\r\n`,
    "a blank in the target": `GET /a b HTTP/1.1\r\n${host}\r\n`,
    "two targets": `GET / HTTP/1.1 http://evil.example/ HTTP/1.1\r\n${host}\r\n`,
    "a tab": `GET /\tHTTP/1.1\r\n${host}\r\n`,
  },
  "line-end": {
    "LF alone": `GET / HTTP/1.1\n${host.trim()}\n\n`,
    "LF alone behind a field": `GET / HTTP/1.1\r\nHost: www.example.org\nX: y\r\n\r\n`,
    "LF alone, and a host": `GET / HTTP/1.1\r\n${host}X: y\nHost: evil.example\r\n\r\n`,
    "CR alone": `GET / HTTP/1.1\r\n${host}X: y\rHost: evil.example\r\n\r\n`,
    "two CR": `GET / HTTP/1.1\r\r\n${host}\r\n`,
    "CR, then the end": `GET / HTTP/1.1\r\n${host}\r\r\n`,
    "LF as the empty line": `GET / HTTP/1.1\r\n${host}\n${evil}`,
    "LF behind the size of a chunk": chunks("5\rhello", "0", "", ""),
    "LF alone in a trailer": chunks("0", "X: y\nHost: evil.example", "", ""),
  },
  "control-byte": {
    "NUL in a value": `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
    "NUL in the host": from("www.example.org\0.evil.example"),
    "NUL in the target": get("/\0"),
    "a vertical tab in front of chunked": post("Transfer-Encoding: \x0bchunked"),
    "a form feed": post("X: \x0c"),
    DEL: post("X: \x7f"),
    "NUL in a trailer": chunks("0", "X: \0", "", ""),
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;

const fields = {
  "folded-field": {
    "by a blank": post("X: a\r\n b"),
    "by a tab": post("X: a\r\n\tTransfer-Encoding: chunked"),
    "the host": "GET / HTTP/1.1\r\nHost:\r\n www.example.org\r\n\r\n".replace("Host:", "X: y\r\n Host:"),
    "the first": `GET / HTTP/1.1\r\n X: y\r\n${host}\r\n`,
    "Transfer-Encoding": post("Transfer-Encoding: chunked\r\n , identity", "0\r\n\r\n"),
    "in a trailer": chunks("0", "X: a", " b", "", ""),
  },
  "field-name": {
    "a blank before the colon": "GET / HTTP/1.1\r\nHost : www.example.org\r\n\r\n",
    "a tab before the colon": post("Transfer-Encoding\t: chunked", "0\r\n\r\n"),
    "a blank before it in Content-Length": post("Content-Length : 5", "hello"),
    "no colon": post("Transfer-Encoding"),
    "no name": post(": chunked"),
    "a blank in the name": post("Transfer Encoding: chunked"),
    "a byte that is no ASCII": post("Transfer-Encoding\xa0: chunked"),
    "an underscore": post("Transfer_Encoding: chunked", "0\r\n\r\n"),
    "an underscore in Content-Length": post("Content_Length: 5", "hello"),
    "a NUL": post("Content-Length\0: 5").replace("\0", "("),
  },
  "no-host": {
    "in 1.1": "GET / HTTP/1.1\r\n\r\n",
    "in 1.0": "GET / HTTP/1.0\r\n\r\n",
    "only in the target": "GET http://www.example.org/ HTTP/1.1\r\n\r\n",
    "another field": "GET / HTTP/1.1\r\nX-Host: www.example.org\r\n\r\n",
    "of the second request": `${get("/")}GET / HTTP/1.1\r\n\r\n`,
  },
  "two-hosts": {
    others: get("/", `${host}Host: evil.example\r\n`),
    "the same": get("/", host + host),
    "in another case": get("/", `${host}hOST: evil.example\r\n`),
    "in 1.0": `GET / HTTP/1.0\r\n${host}X: y\r\n${host}\r\n`,
  },
  "host-form": {
    "a list": from("www.example.org, evil.example"),
    two: from("www.example.org evil.example"),
    nothing: from(""),
    "user information": from("www.example.org@evil.example"),
    "user information with a password": from("a:80@evil.example"),
    "a path": from("www.example.org/evil.example"),
    "a port that is no number": from("www.example.org:http"),
    "a port with a sign": from("www.example.org:+80"),
    "an empty port": from("www.example.org:"),
    "a long port": from("www.example.org:000080"),
    "two ports": from("www.example.org:80:80"),
    "a dot behind": from("www.example.org."),
    "a dot in front": from(".example.org"),
    "two dots": from("www..example.org"),
    "one label": from("localhost"),
    "a blank behind": from("www.example.org "),
    "a tab in front": from("\twww.example.org"),
    "two blanks in front": from(" www.example.org"),
    "letters beyond ASCII": from("b\xfccher.example.org"),
    percent: from("www%2eexample.org"),
    "a hyphen in front": from("-www.example.org"),
    "a long label": from(`${"a".repeat(64)}.example.org`),
    "a long name": from(`${"a23456789.".repeat(25)}example`),
    "a number": from("www.example.1"),
    "in the target": get("http://www.example.org\\@evil.example/"),
    "a fragment in the target": get("http://www.example.org#/"),
    "user information in the target": get("http://www.example.org@evil.example/"),
    "none in the target": get("http:///www.example.org/"),
  },
  "host-address": {
    IPv4: from("192.0.2.1"),
    "IPv4 and a port": from("192.0.2.1:80"),
    IPv6: from("[2001:db8::1]"),
    "IPv6 and a port": from("[2001:db8::1]:80"),
    "one number": from("3221225985"),
    "in the target": get("http://192.0.2.1/"),
  },
  "host-differs": {
    another: get("http://evil.example/"),
    "another, and a port": get("http://evil.example:80/"),
    "without a path": get("http://evil.example"),
    "with a query": get("http://evil.example?http://www.example.org/"),
    "in 1.0": `GET http://evil.example/ HTTP/1.0\r\n${host}\r\n`,
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;

const lengths = [
  "",
  "+5",
  "-5",
  "-0",
  "0x5",
  "5.0",
  "5e0",
  "5,5",
  "5, 5",
  "5 5",
  "05",
  "00",
  "\t5",
  "5 ",
  " 5",
  "5\t",
  "five",
];
const codings = [
  ...[
    "",
    "identity",
    "gzip, chunked",
    "chunked, chunked",
    "chunked, identity",
    "x",
    "xchunked",
    "chunked;q=1",
  ],
  ...[
    "Chunked",
    "chunKed",
    '"chunked"',
    "chunked ",
    "\tchunked",
    " chunked",
    "chunked\t",
    "chunked,",
    ",chunked",
  ],
  ...["\xa0chunked", "chunked\xa0", "chunked, cow", "cow, chunked"],
];

function named(values: readonly string[], make: (value: string) => string): Attacks {
  return Object.fromEntries(values.map((value) => [JSON.stringify(value), make(value)]));
}

const framing = {
  "content-length": {
    ...named(lengths, (value) => post(`Content-Length: ${value}`, "hello")),
    "beyond 2^53": post("Content-Length: 9007199254740992"),
    "beyond 2^64": post("Content-Length: 18446744073709551621"),
    twice: post("Content-Length: 5\r\nContent-Length: 5", "hello"),
    "twice, others": post("Content-Length: 5\r\ncontent-length: 0", `hello${evil}`),
  },
  "transfer-encoding": {
    ...named(codings, (value) => post(`Transfer-Encoding: ${value}`, "0\r\n\r\n")),
    twice: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    "twice, one odd": post("Transfer-Encoding: chunked\r\nTransfer-encoding: cow", "0\r\n\r\n"),
    "twice, one odd in front": post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    "in 1.0": `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  "two-framings": {
    "CL.TE": post("Content-Length: 6\r\nTransfer-Encoding: chunked", `0\r\n\r\nG`),
    "TE.CL": post("Transfer-Encoding: chunked\r\nContent-Length: 3", `8\r\nSMUGGLED\r\n0\r\n\r\n`),
    "in 1.0": `POST / HTTP/1.0\r\n${host}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  },
  "chunk-size": {
    ...named(["", "-5", "+5", "0x5", " 5", "5 ", "\t5", "5\t", "5 ;a", "5_0", "5,5", "g", "\xb5"], (size) =>
      chunks(size, "hello", "0", "", ""),
    ),
    "9 digits": chunks("000000005", "hello", "0", "", ""),
    "beyond 31 bits": chunks("80000000", "hello"),
    "beyond 32 bits": chunks("100000005", "hello", "0", "", ""),
    "beyond 64 bits": chunks("10000000000000005", "hello", "0", "", ""),
    "LF alone": chunks("5\nhello", "0", "", ""),
    NUL: chunks("5\0", "hello"),
  },
  "chunk-extension": {
    "too long": chunks(`5;${"a".repeat(256)}`, "hello", "0", "", ""),
    "without an end": chunks(`5;${"a".repeat(300)}`),
    "LF alone": chunks(`5;a\nhello`, "0", "", ""),
    "a control character": chunks("5;a\x01", "hello", "0", "", ""),
    "beyond ASCII": chunks("5;\x8d\x8a", "hello", "0", "", ""),
  },
  "chunk-end": {
    "longer than its size": chunks("4", "hello", "0", "", ""),
    "shorter than its size": chunks("6", "hello", "0", "", ""),
    "LF alone": chunks("5", "hello\n0", "", ""),
    "CR alone": chunks("5", "hello\r0", "", ""),
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;

const connection = {
  "connection-option": {
    "the host": post("Connection: close, Host"),
    "the length": post("Connection: Content-Length\r\nContent-Length: 5", "hello"),
    "the coding": post("Connection: keep-alive ,\ttransfer-encoding"),
    "in a second field": post("Connection: close\r\nConnection: host"),
  },
  expectation: {
    another: post("Expect: 200-ok"),
    "with something in front": post("Expect: y 100-continue\r\nContent-Length: 5"),
    twice: post("Expect: 100-continue\r\nExpect: 100-continue"),
    nothing: post("Expect:"),
  },
  upgrade: {
    "h2c, as curl asks": offer("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"),
    TLS: offer("Connection: Upgrade", "Upgrade: TLS/1.2"),
    two: offer("Connection: Upgrade", "Upgrade: websocket, h2c", key, "Sec-WebSocket-Version: 13"),
    twice: offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Upgrade: h2c",
      key,
      "Sec-WebSocket-Version: 13",
    ),
    nothing: offer("Upgrade:"),
    "no key": offer("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "two keys": offer("Connection: Upgrade", "Upgrade: websocket", key, key, "Sec-WebSocket-Version: 13"),
    "no version": offer("Connection: Upgrade", "Upgrade: websocket", key),
    "another version": offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 1777"),
    "no option": offer("Upgrade: websocket", key, "Sec-WebSocket-Version: 13"),
    "a body": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
      "Content-Length: 5",
    ),
    "another method": offer(
      "Connection: Upgrade",
      "Upgrade: websocket",
      key,
      "Sec-WebSocket-Version: 13",
    ).replace("GET", "POST"),
    "in 1.0": offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13").replace(
      "1.1",
      "1.0",
    ),
  },
  "head-too-long": {
    "one field": post(`X: ${"a".repeat(16_384)}`),
    "a target": get(`/${"a".repeat(16_384)}`),
    "by a byte": post(`X: ${"a".repeat(16_385 - post("X: ").length)}`),
  },
  "too-many-fields": { "101": post(Array.from({ length: 100 }, (_, at) => `X-${at}: y`).join("\r\n")) },
  "trailer-field": {
    "a host": chunks("0", "Host: evil.example", "", ""),
    "a length": chunks("0", "Content-Length: 5", "", "hello"),
    "an underscore": chunks("0", "X: y", "Transfer_Encoding: chunked", "", ""),
    Connection: chunks("0", "connection: upgrade", "", ""),
  },
  "trailers-too-long": {
    one: chunks("0", `X: ${"a".repeat(4096)}`, "", ""),
    many: chunks("0", ...Array.from({ length: 600 }, () => "X: yz"), "", ""),
    "by a byte": chunks("0", `X: ${"a".repeat(4097 - "X: \r\n\r\n".length)}`, "", ""),
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;

export const attacks: Readonly<Record<HttpRefusal, Attacks>> = {
  ...start,
  ...fields,
  ...framing,
  ...connection,
};
