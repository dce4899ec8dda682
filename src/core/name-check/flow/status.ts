// The status with which a server of HTTP/1 answers (RFC 9112 section 4).

import { textOf } from "../asked-name.ts";

const longest = "HTTP/1.1 200 ".length;
const shape = "HTTP/1.d ddd ";

/** `more` while too little is there; `other` for what is no answer of HTTP/1. */
export function statusIn(answer: Uint8Array): number | "more" | "other" {
  const text = textOf(answer, 0, Math.min(answer.length, longest));
  for (const [index, character] of [...text].entries()) {
    const isRight = shape[index] === "d" ? /[0-9]/.test(character) : character === shape[index];
    // Some servers send no reason, and no space before it.
    const isEnd = index === longest - 1 && character === "\r";
    if (!isRight && !isEnd) return "other";
  }
  return text.length < longest ? "more" : Number(text.slice(9, 12));
}
