// Attacks in what says how long a body is.

import type { HttpRefusal } from "../../../../src/core/name-check/refusals.ts";
import { type Attacks, chunks, evil, host, named, post } from "./make.ts";

const lengths = "|+5|-5|-0|0x5|5.0|5e0|5,5|5, 5|5 5|05|00|\t5|5 | 5|5\t|five".split("|");
const codings = [
  ...["", "identity", "gzip, chunked", "chunked, chunked", "chunked, identity", "chunked;q=1"],
  ...["x", "xchunked", "chunkedx", "Chunked", "chunKed", '"chunked"', "chunked ", "\tchunked", " chunked"],
  ...["chunked\t", "chunked,", ",chunked", "\xa0chunked", "chunked\xa0", "chunked, cow", "cow, chunked"],
];
const sizes = "|-5|+5|0x5| 5|5 |\t5|5\t|5 ;a|5_0|5,5|/|:|@|G|`|g|\xb5".split("|");

export const framing = {
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
    ...named(sizes, (size) => chunks(size, "hello", "0", "", "")),
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
    "another byte before LF": chunks("5", "hello \n0", "", ""),
    "CR alone": chunks("5", "hello\r0", "", ""),
  },
} as const satisfies Partial<Record<HttpRefusal, Attacks>>;
