// One flow of HTTP/1 to play with, and what is said on it.

import type { Step } from "../../../src/core/name-check/flow/steps.ts";
import { CheckedFlow } from "../../../src/core/name-check/flow.ts";
import { get, key, offer } from "../http/attacks/make.ts";
import { ofClient, ofServer } from "./packets.ts";

export const from = 0xffff_ff00;
export const serverFrom = 9000;
export const request = get("/");
export const reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
export const h2c = offer(
  "Connection: Upgrade, HTTP2-Settings",
  "Upgrade: h2c",
  "HTTP2-Settings: AAMAAABkAAQAAP__",
);
export const webSocket = offer("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13");

export function begin() {
  const ask = (as: string, name: string): boolean => as === "http" && name === "www.example.org";
  const flow = new CheckedFlow(
    { ask, isAudited: false, allowsEch: true },
    { seq: serverFrom - 1, ack: from },
    0,
  );
  let id = 0;
  let heard = 0;
  let said = 0;
  const latin = (text: string): Buffer => Buffer.from(text, "latin1");
  return {
    flow,
    /** At the end of what was said, or elsewhere. */
    says: (text: string, at = said, nowMs = 0): string => {
      said = Math.max(said, at + text.length);
      const parts = { seq: from + at, ack: serverFrom + heard, payload: latin(text) };
      return brief(flow.fromClient(++id, ofClient(parts), nowMs));
    },
    /** Acknowledges all that was said, or up to here. */
    answers: (text: string, acked = said, nowMs = 0): string => {
      const parts = { seq: serverFrom + heard, ack: from + acked, payload: latin(text) };
      heard += text.length;
      return brief(flow.fromServer(++id, ofServer(parts), nowMs));
    },
    /** Bytes that nobody looks at pass. */
    skip: (bytes: number): void => {
      said += bytes;
    },
  };
}

/** Steps in a line. */
export function brief(steps: readonly Step[]): string {
  return steps
    .map((step) => {
      if (step.kind === "hold") return `hold ${step.id}`;
      if (step.kind === "mark") return step.mark;
      if (step.kind === "reset") return "reset";
      if (step.kind === "note") return step.note.refusal ?? `${step.note.name}`;
      return `${step.kind} ${step.ids.join()}`;
    })
    .join(", ");
}
