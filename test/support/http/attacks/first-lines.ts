// Attacks in the first line of a request, and in any line.

import type { HttpRefusal } from "../../../../src/core/name-check/refusals.ts";
import { type Attacks, chunks, evil, from, get, host, post } from "./make.ts";

export const start = {
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
  "http-2": {
    "behind an offer of h2c": `${get("/", `${host}Connection: Upgrade\r\nUpgrade: h2c\r\n`)}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    "the preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "in lower case": "pri * HTTP/1.1\r\n",
  },
  tunnel: {
    CONNECT: `CONNECT www.example.org:443 HTTP/1.1\r\n${host}\r\n`,
    "in mixed case": `Connect / HTTP/1.1\r\n${host}\r\n`,
  },
  target: {
    "an authority": get("www.example.org:80"),
    "no slash": get("index.html"),
    "an asterisk of GET": get("*"),
    "an asterisk and more": get("*/").replace("GET", "OPTIONS"),
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
    "a digit more": `GET / HTTP/1.01\r\n${host}\r\n`,
    "a digit more behind 1.1": `GET / HTTP/1.10\r\n${host}\r\n`,
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
