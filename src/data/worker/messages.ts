// What the control plane asks for, and what it is answered. A message that fails ends nothing but itself; one that has
// a number is refused.

import { setImmediate as nextTurn } from "node:timers/promises";
import { contain } from "../../core/contain.ts";
import { canaryQuery, isOurDenial } from "../../core/dns/probe.ts";
import type { Family } from "../../core/model/address.ts";
import type { ContainerWays } from "../../core/path/detours.ts";
import { outside, type Way, wayByPicture } from "../../core/path/way.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import type { DataPlaneFindings, ToDataPlane } from "../../planes/messages.ts";
import { createReceiver } from "../../planes/picture.ts";
import { readPath } from "../rehearse.ts";
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
      if (message.wasRead) engine.heard(message.number);
      return answerer.reconsider();
    case "hold-unsettled":
      return sandboxLayer?.holdUnsettled();
    case "flush":
      telling.flush();
      return done(parts, message);
    case "examine":
      return examine(parts, message);
    case "path":
      return tellPath(parts, message);
    case "ways":
      return tellWays(parts, message);
    case "cut":
      return tellCut(parts, message);
    case "open":
      return tellOpen(parts, message);
    case "take-left":
      return takeLeft(parts, message);
    case "release-all":
      return releaseAll(parts, message);
    case "questions":
    case "end":
      // Were taken where the thread begins.
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
  { requestId, asks }: Message<"examine">,
): Promise<void> {
  const query = canaryQuery();
  const [resolvers, asked, probed = []] = await Promise.all([
    answerer.examineResolvers(),
    Promise.all(
      asks.map(async ({ containerId, server }) => {
        const answer = await sandboxLayer?.ask(containerId, server, query);
        return { containerId, server, captured: isOurDenial(answer) };
      }),
    ),
    sandboxLayer?.probe(query),
  ]);
  const sandboxes = probed.map(({ addresses, answer }) => ({ addresses, captured: isOurDenial(answer) }));
  const findings: DataPlaneFindings = { resolvers, sandboxes, asked };
  telling.tell({ kind: "examined", requestId, findings });
}

async function tellPath(
  { view, admission, answerer, sandboxLayer, telling }: Parts,
  { requestId, containerId, addresses, target, hosts }: Message<"path">,
): Promise<void> {
  const { index } = view;
  const reading = await readPath({
    admission,
    answerer,
    index,
    standing: index.standingOfAddresses(addresses),
    addresses,
    topology: view.topology,
    target,
    hosts,
    wayTo(destination) {
      const way = sandboxLayer?.wayTo(containerId, destination);
      return way === undefined || way.kind === "unknown"
        ? wayByPicture(view.topology, containerId, destination)
        : way;
    },
    nowMs: monotonicMs(),
  });
  telling.tell({ kind: "path-read", requestId, reading });
}

/** Of containers on one guarded network there is nothing to tell. Lookups are answered between one and the next. */
async function tellWays(
  { view, sandboxLayer, telling }: Parts,
  { requestId }: Message<"ways">,
): Promise<void> {
  const several = view.topology.containers.filter(({ running, endpoints }) => {
    const homes = endpoints.filter(({ networkId }) => view.subnetsOf(networkId).length > 0);
    return running && homes.length > 1;
  });
  const ways: ContainerWays[] = [];
  for (const { id } of several) {
    const wayOut = (family: Family): Way =>
      sandboxLayer?.wayTo(id, { address: outside[family], ipProtocol: 6, port: undefined }) ?? {
        kind: "unknown",
      };
    ways.push({ containerId: id, ways: [wayOut(4), wayOut(6)] });
    await nextTurn();
  }
  telling.tell({ kind: "ways-read", requestId, ways });
}

function tellCut({ view, sandboxLayer, telling }: Parts, { requestId, containerId }: Message<"cut">): void {
  const sandbox = view.index.sandboxOf(containerId);
  const cut = sandbox === undefined ? undefined : sandboxLayer?.cutOf(sandbox);
  telling.tell({ kind: "cut-read", requestId, cut: cut ?? "none" });
}

function tellOpen({ admission, telling }: Parts, { requestId, packets }: Message<"open">): void {
  const open = packets.map(
    ({ asker: source, destination, ipProtocol: protocol, port }) =>
      admission.secondsLeft({ source, destination, protocol, port }) !== undefined,
  );
  telling.tell({ kind: "open-read", requestId, open });
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
