// What the control plane asks for, and what it is answered. A message that fails ends nothing but itself; one that has
// a number is refused.

import { contain } from "../../core/contain.ts";
import { canaryQuery, isOurDenial } from "../../core/dns/probe.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import type { DataPlaneFindings, ToDataPlane } from "../../planes/messages.ts";
import { createReceiver } from "../../planes/picture.ts";
import { explain } from "../rehearse.ts";
import type { Parts } from "./parts.ts";
import { usePicture } from "./picture-use.ts";

type Message<Kind extends ToDataPlane["kind"]> = Extract<ToDataPlane, { readonly kind: Kind }>;

/** Takes messages in the order in which they came. */
export function createMessageTaker(parts: Parts): (message: ToDataPlane) => void {
  const receive = createReceiver();
  return (message) =>
    contain(
      () => take(parts, message, receive),
      (error) => refuse(parts, message, error),
    );
}

function take(
  parts: Parts,
  message: ToDataPlane,
  receive: ReturnType<typeof createReceiver>,
): void | Promise<void> {
  const { answerer, engine, pending, sandboxLayer, telling } = parts;
  switch (message.kind) {
    case "topology":
      usePicture(parts, receive(message));
      return done(parts, message);
    case "readings":
      parts.view.useReadings(message);
      sandboxLayer?.useReadings();
      return answerer.reconsider();
    case "upstreams":
      return answerer.useUpstreams(message.upstreams);
    case "refreshed":
      if (pending.hasUndecided) engine.refreshLater();
      return answerer.refreshed();
    case "hold-unsettled":
      return sandboxLayer?.holdUnsettled();
    case "flush":
      telling.flush();
      return done(parts, message);
    case "examine":
      return examine(parts, message);
    case "explain":
      return tellExplanation(parts, message);
    case "cut-off":
      return tellCutOff(parts, message);
    case "take-left":
      return takeLeft(parts, message);
    case "release-all":
      return releaseAll(parts, message);
    case "end":
      // Was taken where the thread begins.
      return;
  }
}

function refuse({ telling }: Parts, message: ToDataPlane, error: unknown): void {
  if (!("requestId" in message)) {
    telling.failure(error);
    return;
  }
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  telling.tell({ kind: "refused", requestId: message.requestId, code, message: messageOf(error) });
}

function done({ telling }: Parts, { requestId }: { readonly requestId: number }): void {
  telling.tell({ kind: "done", requestId });
}

async function examine(
  { answerer, sandboxLayer, telling }: Parts,
  { requestId }: Message<"examine">,
): Promise<void> {
  const [upstream, probed = []] = await Promise.all([
    answerer.probeUpstream(),
    sandboxLayer?.probe(canaryQuery()),
  ]);
  const sandboxes = probed.map(({ addresses, answer }) => ({ addresses, captured: isOurDenial(answer) }));
  const findings: DataPlaneFindings = { upstream, sandboxes };
  telling.tell({ kind: "examined", requestId, findings });
}

async function tellExplanation(
  { view, admission, answerer, telling }: Parts,
  { requestId, addresses, target }: Message<"explain">,
): Promise<void> {
  const standing = view.index.standingOfAddresses(addresses);
  const explanation = await explain({ admission, answerer, standing, target, nowMs: monotonicMs() });
  telling.tell({ kind: "explained", requestId, explanation });
}

function tellCutOff(
  { view, sandboxLayer, telling }: Parts,
  { requestId, containerId }: Message<"cut-off">,
): void {
  const sandbox = view.index.sandboxOf(containerId);
  const cutOff = sandbox !== undefined && sandboxLayer?.isCutOff(sandbox) === true;
  telling.tell({ kind: "is-cut-off", requestId, cutOff });
}

function takeLeft(
  { view, admission, cutFlows, telling }: Parts,
  { requestId, addresses, rights }: Message<"take-left">,
): void {
  const taken = admission.takeLeft(rights, (asker) => view.membershipsAt(asker));
  telling.tell({ kind: "left-taken", requestId, count: taken + cutFlows(new Set(addresses)).length });
}

async function releaseAll(parts: Parts, message: Message<"release-all">): Promise<void> {
  await parts.sandboxLayer?.releaseAll();
  done(parts, message);
}
