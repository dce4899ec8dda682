// One flow of TLS to play with, and what is said on it.

import type { Step } from "../../../src/core/name-check/flow/steps.ts";
import { CheckedFlow } from "../../../src/core/name-check/flow.ts";
import type { Refusal } from "../../../src/core/name-check/refusals.ts";
import { filler, helloFor, record } from "../tls/build-hello.ts";
import { ofClient, ofServer, type Parts } from "./packets.ts";

export const allowed = "api.example.com";
export const first = helloFor(allowed, filler(50));
export const again = helloFor(allowed, filler(70, 51));
export const evil = helloFor("www.evil.example");
export const earlyData = record(Buffer.alloc(30, 0x17), 23, 0x0303);
export const from = 0xffff_ff80;
export const serverFrom = 5000;

export function begin(rules: { readonly isAudited?: boolean; readonly allowsEch?: boolean } = {}) {
  const ask = (as: string, name: string): boolean => as === "tls" && name === allowed;
  const synAck = { seq: serverFrom - 1, ack: from };
  const flow = new CheckedFlow({ ask, isAudited: false, allowsEch: true, ...rules }, synAck, 0);
  let id = 0;
  return {
    flow,
    says: (at: number, payload: Uint8Array, parts: Partial<Parts> = {}, nowMs = 0): readonly Step[] =>
      flow.fromClient(++id, ofClient({ seq: from + at, ack: serverFrom, payload, ...parts }), nowMs),
    answers: (at: number, payload: Uint8Array, acked: number): readonly Step[] =>
      flow.fromServer(++id, ofServer({ seq: serverFrom + at, ack: from + acked, payload }), 0),
  };
}

export const note = { kind: "note", note: { name: allowed, as: "tls", refusal: undefined } };
export const released = (...ids: number[]) => ({ kind: "release", ids });
export const held = (id: number) => ({ kind: "hold", id });
export const marked = (mark: string) => ({ kind: "mark", mark });
export const dropped = (...ids: number[]) => ({ kind: "drop", ids });

export function refusalIn(steps: readonly Step[]): Refusal | undefined {
  for (const step of steps) if (step.kind === "note") return step.note.refusal;
  return undefined;
}
