// The data plane as the control plane holds it: there is none before the sets are filled, nor after it was taken down.

import { createFirstDenials } from "../../core/journal/first-denials.ts";
import type { LookupEvent } from "../../core/journal/lookup-event.ts";
import { readLabels } from "../../core/labels/read.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Inventory } from "../../edge/engine/inventory.ts";
import type { Config } from "../../edge/host/config/settings.ts";
import type { Log } from "../../edge/host/log.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import type { DataPlaneEvents, DataPlaneLink } from "../../planes/link.ts";
import type { DataPlaneSettings } from "../../planes/messages.ts";
import type { Enforcement } from "../enforcement.ts";
import type { History } from "../history/history.ts";
import type { Reporter } from "../reporter.ts";
import type { Wall } from "../wall.ts";
import type { Boundary } from "./boundary.ts";
import { readEngine } from "./engine-events.ts";
import type { Host } from "./host.ts";

/** Where the link to it is, while there is one. */
export interface DataPlanePlace extends AsyncDisposable {
  readonly current: () => DataPlaneLink | undefined;
  fill(link: DataPlaneLink): void;
  /** Nobody finds it there any more. @returns what was there, to be ended by the caller */
  empty(): DataPlaneLink | undefined;
}

/** Ends what is in it when it is disposed. */
export function createDataPlanePlace(): DataPlanePlace {
  let link: DataPlaneLink | undefined;
  return {
    current: () => link,
    fill(started) {
      link = started;
    },
    empty() {
      const last = link;
      link = undefined;
      return last;
    },
    [Symbol.asyncDispose]: async () => link?.[Symbol.asyncDispose](),
  };
}

export function dataPlaneSettings(config: Config, host: Host): DataPlaneSettings {
  return {
    dnsPort: config.dnsPort,
    upstreams: host.upstreams.current(),
    leaseFloorSeconds: config.leaseFloorSeconds,
    leaseGraceSeconds: config.leaseGraceSeconds,
    sandboxFolder: host.sandboxFolder,
    dockerSocket: config.dockerSocket,
    guardPorts: host.missing.unguardedPorts === undefined,
    holdUnsettled: host.missing.unheldPorts === undefined,
    queueNumber: config.queueNumber,
  };
}

export interface DataPlaneListener {
  readonly log: Log;
  readonly boundary: Pick<Boundary, "enter">;
  readonly dataPlane: Pick<DataPlanePlace, "current">;
  readonly enforcement: Pick<Enforcement, "usePictureOfNow" | "reconcile">;
  readonly inventory: Inventory;
  readonly history: Pick<History, "record" | "passOn">;
  readonly reporter: Pick<
    Reporter,
    "onProblem" | "onSandboxes" | "onForeignInterfaces" | "onResolver" | "onListening"
  >;
  readonly wall: Pick<Wall, "leadTo">;
}

/** What the control plane does when the data plane tells it something. */
export function createDataPlaneEvents(
  listener: DataPlaneListener,
  onDeath: (error: Error) => void,
): DataPlaneEvents {
  const { log, boundary, enforcement, history, reporter, wall } = listener;
  const logDenials = createDenialLog(listener);
  return {
    onListening: ({ port, problem }) => {
      wall.leadTo(port);
      reporter.onListening(problem);
    },
    onLookups: (events) => {
      history.record(events);
      logDenials(events);
    },
    onFreshAddresses: (fresh) =>
      boundary.enter("what an earlier container was denied", () => history.passOn(fresh)),
    onRefresh: (suspects, number) =>
      boundary.enter("reading the engine anew", () => readAnew(listener, suspects, number)),
    onSecondPart: () => boundary.enter("rules that look further", () => enforcement.reconcile()),
    onSandboxes: reporter.onSandboxes,
    onForeignInterfaces: reporter.onForeignInterfaces,
    onResolver: reporter.onResolver,
    onProblem: (problem) => log.warn("data plane", { problem }),
    onDeath,
  };
}

/** Has one line written for each name that a container is denied for the first time. */
function createDenialLog({
  log,
  inventory,
}: Pick<DataPlaneListener, "log" | "inventory">): (events: readonly LookupEvent[]) => void {
  const newsOf = createFirstDenials();
  let topology: Topology | undefined;
  let names: ReadonlyMap<IpAddress, string> = new Map();

  /** A flood of denied lookups must not search all containers for each of them. */
  function nameOf(asker: IpAddress): string {
    if (topology !== inventory.current()) {
      topology = inventory.current();
      names = new Map(
        topology.containers.flatMap(({ name, endpoints }) =>
          endpoints.flatMap(({ addresses }) => addresses.map((address) => [address, name] as const)),
        ),
      );
    }
    return names.get(asker) ?? asker;
  }

  return (events) => {
    const { first, beyond } = newsOf(events, nameOf, monotonicMs());
    for (const { networkId, asker, domain } of first) {
      const container = nameOf(asker);
      const network = topology?.networks.find(({ id }) => id === networkId);
      // In audit mode it was answered all the same.
      const isAudited = network !== undefined && readLabels("network", network).labels.mode === "audit";
      const message = isAudited ? "name would be denied" : "name denied";
      log.info(message, { network: network?.name ?? networkId, container, domain });
    }
    if (beyond > 0) log.info("more names denied; see dockerwall stats", { count: beyond });
  };
}

/** Reads the engine because the data plane met something new, and tells it when the picture is in use. */
async function readAnew(
  { inventory, reporter, enforcement, dataPlane }: DataPlaneListener,
  suspects: readonly string[],
  number: number,
): Promise<void> {
  const wasRead = await readEngine({ inventory, reporter }, suspects);
  await enforcement.usePictureOfNow();
  dataPlane.current()?.refreshed(number, wasRead);
}
