// What the control plane asks for, and what it is answered. A message that fails ends nothing but itself; one that has
// a number is refused.

import { setImmediate as nextTurn } from "node:timers/promises";
import { contain } from "../../core/contain.ts";
import type { Cut } from "../../core/cut.ts";
import { canaryQuery, isOurDenial } from "../../core/dns/probe.ts";
import type { KernelRight } from "../../core/grants/entry-index.ts";
import type { Family, IpAddress } from "../../core/model/address.ts";
import type { ContainerWays } from "../../core/path/detours.ts";
import type { PathReading } from "../../core/path/reading.ts";
import { outside, type Way, wayByPicture } from "../../core/path/way.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import type { ToDataPlane } from "../../planes/messages.ts";
import { createReceiver } from "../../planes/picture.ts";
import type {
  AnyRequest,
  AskedServer,
  AskersPacket,
  DataPlaneFindings,
  PathRequest,
  PlaneRequest,
  RequestHandlers,
  RequestName,
} from "../../planes/request-table.ts";
import { readPath } from "../rehearse.ts";
import type { PlaneParts } from "./parts.ts";
import { usePicture } from "./picture-use.ts";

/** Takes messages in the order in which they came. */
export function createMessageTaker(parts: PlaneParts): (message: ToDataPlane) => void {
  const handlers = createHandlers(parts);
  return (message) =>
    contain(
      () => (message.kind === "request" ? answer(parts, message, handlers) : hear(parts, message)),
      (error) => refuse(parts, message, error),
    );
}

/** Of each request: what it is answered. */
function createHandlers(parts: PlaneParts): RequestHandlers {
  const receive = createReceiver();
  return {
    post: (picture) => usePicture(parts, receive(picture)),
    respond: () => undefined,
    flush: () => parts.telling.flush(),
    examine: (asks) => examine(parts, asks),
    readPath: (path) => readPathOf(parts, path),
    readWays: () => readWays(parts),
    cutOf: (containerId) => cutOf(parts, containerId),
    areOpen: (packets) => areOpen(parts, packets),
    takeLeft: (addresses, rights) => takeLeft(parts, addresses, rights),
    releaseAll: () => parts.sandboxLayer?.releaseAll(),
  };
}

/** In the same turn, where the handler has the answer at once. */
function answer<Name extends RequestName>(
  { telling }: PlaneParts,
  { requestId, name, asked }: PlaneRequest<Name>,
  handlers: RequestHandlers,
): void | Promise<void> {
  const tell = (answered: unknown): void => telling.tell({ kind: "answered", requestId, answer: answered });
  const answered = handlers[name](...asked);
  return answered instanceof Promise ? answered.then(tell) : tell(answered);
}

function hear(
  { answerer, engine, pending, sandboxLayer, view }: PlaneParts,
  message: Exclude<ToDataPlane, AnyRequest>,
): void {
  switch (message.kind) {
    case "readings":
      view.useReadings(message);
      sandboxLayer?.useReadings();
      answerer.reconsider();
      break;
    case "upstreams":
      answerer.useUpstreams(message.upstreams);
      break;
    case "refreshed":
      if (pending.hasUndecided) engine.refreshLater();
      if (message.wasRead) engine.heard(message.number);
      answerer.reconsider();
      break;
    case "hold-unsettled":
      sandboxLayer?.holdUnsettled();
      break;
    case "questions":
    case "end":
      // Were taken where the thread begins.
      break;
  }
}

function refuse({ telling }: PlaneParts, message: ToDataPlane, error: unknown): void {
  if (!("requestId" in message)) {
    telling.failure(error);
    return;
  }
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  telling.tell({ kind: "refused", requestId: message.requestId, code, message: messageOf(error) });
}

async function examine(
  { answerer, sandboxLayer }: PlaneParts,
  asks: readonly AskedServer[],
): Promise<DataPlaneFindings> {
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
  return { resolvers, sandboxes, asked };
}

function readPathOf(
  { view, admission, answerer, sandboxLayer }: PlaneParts,
  { containerId, addresses, target, hosts }: PathRequest,
): Promise<PathReading> {
  const { index } = view;
  return readPath({
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
}

/** Of containers on one guarded network there is nothing to tell. Lookups are answered between one and the next. */
async function readWays({ view, sandboxLayer }: PlaneParts): Promise<readonly ContainerWays[]> {
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
  return ways;
}

function cutOf({ view, sandboxLayer }: PlaneParts, containerId: string): Cut {
  const sandbox = view.index.sandboxOf(containerId);
  const cut = sandbox === undefined ? undefined : sandboxLayer?.cutOf(sandbox);
  return cut ?? "none";
}

function areOpen({ admission }: PlaneParts, packets: readonly AskersPacket[]): readonly boolean[] {
  return packets.map(
    ({ asker: source, destination, ipProtocol: protocol, port }) =>
      admission.secondsLeft({ source, destination, protocol, port }) !== undefined,
  );
}

function takeLeft(
  { view, admission, cutFlows }: PlaneParts,
  addresses: readonly IpAddress[],
  rights: readonly KernelRight[],
): number {
  const taken = admission.takeLeft(rights, (asker) => view.membershipsAt(asker));
  return taken + cutFlows(new Set(addresses)).length;
}
