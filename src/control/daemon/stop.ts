// The order of a stop. The kernel keeps rules and sets, so that nothing opens while nobody is there.

import { setTimeout } from "node:timers/promises";
import { isGuardedInUse } from "../../core/classify/in-use.ts";
import { isGone, isInForce } from "../../core/model/state.ts";
import type { Network } from "../../core/model/topology.ts";
import type { Log } from "../../edge/host/log.ts";
import { messageOf } from "../../errors.ts";
import type { DaemonParts } from "./parts/parts.ts";
import type { TakeDown } from "./take-down.ts";

/** How long a daemon that stops waits for the engine; Docker ends it after 10 s. */
const lastReadingMs = 2_000;

/** What to do when the daemon that was to remove everything is gone. */
const removeLeft =
  "to remove it without a daemon: docker run --rm --privileged --network host --pid host dockerwall uninstall; one that is started again guards again";

/** Nothing acts any more when this resolves. */
export async function stop(parts: DaemonParts, takeDown: TakeDown): Promise<void> {
  const { acting, config, enforcement, lifecycle, log, nextEngine } = parts;
  // Who ends us may be an engine that is about to start containers.
  await nextEngine.hold();
  const isUnused = config.hold && isInForce(lifecycle.state) ? await nobodyGuarded(parts) : () => false;
  // Who is uninstalling is let finish: half of it would be worse than either.
  const left = await takeDown.settled();
  const isUninstall = isGone(lifecycle.state);
  // Nobody would wait for an uninstall that began now.
  lifecycle.become("stopping");
  if (!isUninstall) await keepLookups(parts);
  acting.dispose();
  await enforcement.idle();
  // A container may have started since it was read: by what the engine has told until now.
  const lifted = !isUninstall && isUnused() && (await liftHold(parts));
  if (isUninstall) tellUninstalled(log, left);
  else if (lifted)
    log.info("stopped; nobody is guarded, so new networks are not held; the kernel keeps the rules");
  else log.info("stopped; the kernel keeps the rules, nothing new opens");
}

/** @param left in words; undefined where that is nothing */
function tellUninstalled(log: Log, left: string | undefined): void {
  if (left === undefined) log.info("stopped; nothing is left");
  else log.error("stopped; the uninstall has failed", { problem: `${left}\n${removeLeft}` });
}

/** The journal has every lookup that was answered, if the data plane says so in time. */
async function keepLookups({
  dataPlane,
  history,
}: Pick<DaemonParts, "dataPlane" | "history">): Promise<void> {
  const flushed = dataPlane
    .current()
    ?.flush()
    .catch(() => undefined);
  await Promise.race([flushed, setTimeout(lastReadingMs, undefined, { ref: false })]);
  history.keep();
}

/** What cannot be lifted stays closed until a daemon is back. */
async function liftHold({ wall, log }: Pick<DaemonParts, "wall" | "log">): Promise<boolean> {
  try {
    await wall.liftHold();
    return true;
  } catch (error) {
    log.warn("new networks stay held", { problem: messageOf(error) });
    return false;
  }
}

/**
 * By the engine's word of now, and once the sets are at it: when that is not so in time, a container may be guarded.
 * @returns whether nobody is on a guarded network, or on one that the engine has told of since, by all it has told then
 */
async function nobodyGuarded({
  inventory,
  enforcement,
  host,
}: Pick<DaemonParts, "inventory" | "enforcement" | "host">): Promise<() => boolean> {
  let known: ReadonlySet<string> = new Set();
  // What is read now may be read while a round is under way, and no other begins once we are stopping.
  const asked = inventory
    .refresh()
    .then(() => {
      // Before the round takes its picture: what comes while it is under way is in no classification.
      known = new Set(inventory.current().networks.map(({ id }) => id));
      return enforcement.decideAnew();
    })
    .then(
      () => true,
      () => false,
    );
  const isRead = await Promise.race([asked, setTimeout(lastReadingMs, false)]);
  const guarded = new Set(enforcement.classification()?.guarded.flatMap(namesOf));
  return () => {
    const topology = inventory.current();
    const since = topology.networks.filter(({ id }) => !known.has(id)).flatMap(namesOf);
    return isRead && !isGuardedInUse(topology, new Set([...guarded, ...since]), host.ownContainer);
  };
}

/** A container is configured for a network by either. */
function namesOf({ id, name }: Pick<Network, "id" | "name">): readonly string[] {
  return [id, name];
}
