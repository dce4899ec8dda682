// The order of a start: sets before rules, listeners before rules, and all of it before anything is answered. A start that
// fails takes back what it did; what stood before it stands after it.

import { type ControlServer, createControlServer } from "../../edge/control-socket/server.ts";
import { listBridges } from "../../edge/host/bridges.ts";
import { createSets } from "../../edge/kernel/ipset/desired-sets.ts";
import { watchBridges } from "../../edge/kernel/netlink/bridge-watch.ts";
import { createReadiness } from "../../edge/kernel/readiness.ts";
import { messageOf } from "../../errors.ts";
import { startDataPlane } from "../../planes/link.ts";
import { createControlApi, serve } from "../api/control-api.ts";
import { assertHostNetwork } from "../host-network.ts";
import { removePortTables } from "../removal.ts";
import { createDataPlaneEvents, dataPlaneSettings } from "./data-plane.ts";
import { createEngineEvents } from "./engine-events.ts";
import type { DaemonParts } from "./parts/parts.ts";
import type { TakeDown } from "./take-down.ts";

export interface StartOptions {
  /** Is given what is to be ended with the daemon, however it ends. */
  readonly cleanup: AsyncDisposableStack;
  readonly takeDown: TakeDown;
  /** The data plane is gone; nothing more will come of it. The start goes on: what it closes is to stand. */
  readonly onDeath: (error: Error) => void;
}

/** The wall stands when this resolves. @throws what kept it from that */
export async function start(parts: DaemonParts, options: StartOptions): Promise<void> {
  try {
    await startInOrder(parts, options);
  } catch (error) {
    if (!parts.host.adopts)
      await takeBack(parts, options).catch((cause) =>
        parts.log.error("the failed start left rules", { problem: messageOf(cause) }),
      );
    throw error;
  }
}

async function takeBack({ host }: DaemonParts, { takeDown }: StartOptions): Promise<void> {
  await takeDown.begin();
  if (host.setsStood) createSets(host.sets);
}

async function startInOrder(parts: DaemonParts, { cleanup, takeDown, onDeath }: StartOptions): Promise<void> {
  const { config, host, inventory, enforcement, dataPlane } = parts;
  await inventory.start(createEngineEvents(parts));
  assertHostNetwork(inventory.current(), { bridges: listBridges(), ownContainer: host.ownContainer });
  // Whatever is on this host now must be in its set before the first rule, or rules would cut it off.
  enforcement.usePicture();
  host.earlyQuestions?.serve();
  // Its listeners, too, come before the first rule: a port that another process has is the commonest failure of a start.
  dataPlane.fill(
    await startDataPlane(dataPlaneSettings(config, host), createDataPlaneEvents(parts, onDeath), () =>
      host.earlyQuestions?.handOver(),
    ),
  );
  cleanup.use(dataPlane);
  const control = await serveCommands(parts, takeDown);
  cleanup.defer(control.close);
  await enforcement.install();
  if (host.missing.unguardedPorts !== undefined) removePortTables();
  await enforcement.cleanOther();
  await enforcement.reconcile();
  watchKernel(parts);
}

function serveCommands(parts: DaemonParts, takeDown: TakeDown): Promise<ControlServer> {
  const { config, host, boundary, dataPlane } = parts;
  return createControlServer({
    path: config.controlSocket,
    served: serve(
      createControlApi({
        ...parts,
        engine: host.engine,
        sets: host.sets,
        dataPlane: dataPlane.current,
        guardsPorts: host.missing.unguardedPorts === undefined,
        takeDown: takeDown.begin,
      }),
    ),
    onFailure: (error) => boundary.tell("the control socket", error),
  });
}

/** What cannot be read may have been any change: then everything is compared. */
function watchKernel({ acting, boundary, enforcement, wall }: DaemonParts): void {
  const readiness = createReadiness();
  acting.defer(readiness.close);
  const onBridges = (): void => void enforcement.reconcile();
  const onRules = (): void => void enforcement.heal();
  watchBridges({
    readiness,
    onChange: onBridges,
    onFailure: (error) => {
      boundary.tell("watching bridges", error);
      onBridges();
    },
  });
  wall.watchRules(readiness, onRules, (error) => {
    boundary.tell("watching rules", error);
    onRules();
  });
}
