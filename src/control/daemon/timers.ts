// What is looked at again and again although nobody tells of a change.

import { isInForce } from "../../core/model/state.ts";
import type { Backend } from "../../edge/kernel/iptables/tools.ts";
import { createSilenceWatch } from "../reporter/silence.ts";
import { readEngine } from "./engine-events.ts";
import type { DaemonParts } from "./parts/parts.ts";

const compareEveryMs = 5_000;
const askEveryMs = 5_000;
/** The same for rules. Nobody tells of changes by the legacy tools; who changes them has an open door until then. */
const healEveryMs: Readonly<Record<Backend, number>> = { nft: 5_000, legacy: 1_500 };
const readEveryMs = 30_000;
/** What was looked up since then is lost if the daemon is killed. */
const keepEveryMs = 60_000;

export function startTimers(parts: DaemonParts): void {
  const { acting, boundary, dataPlane, enforcement, history, host, lifecycle, policies, wall } = parts;
  const repeat = (everyMs: number, name: string, work: () => unknown): void => {
    acting.use(boundary.repeat(name, everyMs, work));
  };
  repeat(compareEveryMs, "the host's resolvers", () => followUpstreams(parts));
  repeat(compareEveryMs, "comparing sets", async () => {
    if (wall.awaitsReading()) await readEngine(parts);
    await enforcement.reconcile();
  });
  repeat(askEveryMs, "the data plane", createSilenceWatch(dataPlane.current));
  repeat(compareEveryMs, "policies that end", policies.look);
  // The other variant as often: a boot guard whose unit is started again may hold the host by rules in there, and nobody
  // tells of them. While nothing of ours can be there, it takes no process to know it (src/edge/kernel/iptables/traces.ts).
  repeat(healEveryMs[host.backend], "comparing rules", () => enforcement.heal().then(enforcement.cleanOther));
  repeat(readEveryMs, "reading the engine", () => readEngine(parts));
  repeat(keepEveryMs, "keeping lookups", () => {
    if (isInForce(lifecycle.state)) history.keep();
  });
}

function followUpstreams({ host, log, dataPlane }: DaemonParts): void {
  const changed = host.upstreams.look();
  if (changed === undefined) return;
  log.info("upstream resolvers changed", { count: changed.length });
  dataPlane.current()?.useUpstreams(changed);
}
