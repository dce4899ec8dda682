// A table of flows to play with: one server, many clients, a clock that is set.

import { type FlowLimits, type FlowStep, FlowTable, flowLimits } from "../../../src/core/name-check/flows.ts";
import { type Segment, tcpFlags } from "../../../src/core/name-check/segment.ts";
import { helloFor } from "../tls/build-hello.ts";
import { type Ends, ofClient, ofServer } from "./packets.ts";
import { hello } from "./tls-answers.ts";

export const name = "api.example.com";
export const asking = helloFor(name);
const standing = { isAudited: false, allowsEch: true };

/** A table, and connections by it on a given clock. */
export class Play {
  readonly table: FlowTable;
  nowMs = 0;
  #lastId = 0;

  constructor(limits: FlowLimits = flowLimits) {
    this.table = new FlowTable(limits, (_key, asked) => asked.name === name);
  }

  begin(ends: Ends): readonly FlowStep[] {
    return this.take(ofServer({ seq: 99, ack: 1000, flags: tcpFlags.syn | tcpFlags.ack }, ends), "server");
  }

  says(ends: Ends, at: number, payload: Uint8Array): readonly FlowStep[] {
    return this.take(ofClient({ seq: 1000 + at, ack: 100, payload }, ends), "client");
  }

  answers(ends: Ends, acked: number): readonly FlowStep[] {
    return this.take(ofServer({ seq: 100, ack: 1000 + acked, payload: hello }, ends), "server");
  }

  take(segment: Segment, from: "client" | "server"): readonly FlowStep[] {
    return this.table.take({ id: ++this.#lastId, segment, from }, standing, this.nowMs);
  }

  /** A whole connection; whether it was let go. */
  isAdmitted(ends: Ends): boolean {
    this.begin(ends);
    this.says(ends, 0, asking.subarray(0, 30));
    this.says(ends, 30, asking.subarray(30));
    return this.answers(ends, asking.length).some((step) => step.kind === "mark" && step.mark === "admitted");
  }
}

/** Ports of the clients that were refused, and why. */
export function refusals(steps: readonly FlowStep[]): string[] {
  return steps.flatMap((step) =>
    step.kind === "note" && step.note.refusal !== undefined
      ? [`${step.key.clientPort} ${step.note.refusal}`]
      : [],
  );
}
