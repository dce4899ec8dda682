// The control plane: order of start and stop. What it must never do is leave a moment in which a guarded container is
// not: sets are filled before rules are applied, both before anything is answered, and on the way down the kernel keeps
// them. A start that fails takes back what it did; what stood before it stands after it.

import type { Config } from "../edge/host/config/settings.ts";
import { createLog } from "../edge/host/log.ts";
import { outlastSignals } from "../edge/host/signals.ts";
import { createEnd } from "./daemon/end.ts";
import { acquireHost } from "./daemon/host.ts";
import { makeParts } from "./daemon/parts/make.ts";
import type { DaemonParts } from "./daemon/parts/parts.ts";
import { start } from "./daemon/start.ts";
import { stop } from "./daemon/stop.ts";
import { createTakeDown, removalsOf } from "./daemon/take-down.ts";
import { startTimers } from "./daemon/timers.ts";

/** Runs until SIGTERM or SIGINT; throws when it cannot start or go on. */
export async function runDaemon(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const end = createEnd();
  // They stay for good: while a tool of iptables runs, execa listens too, and ends who has no listener of its own left.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, end.ask);
  outlastSignals(log);
  const host = await acquireHost(config, log);
  await using cleanup = new AsyncDisposableStack();
  const parts = makeParts({ config, log, host }, cleanup);
  const takeDown = createTakeDown({ ...parts, removals: removalsOf(parts) });

  await start(parts, { cleanup, takeDown, onDeath: end.fail });
  // The data plane may have died meanwhile: as after a later death, the kernel keeps what it has.
  end.assertNotFailed();
  startTimers(parts);
  parts.policies.look();
  enterForce(parts);

  await end.reached();
  await stop(parts, takeDown);
}

function enterForce({ lifecycle, reporter, enforcement, host, log }: DaemonParts): void {
  // Problems of networks count from here on.
  lifecycle.become("enforcing");
  lifecycle.observe(reporter.isUnwell());
  log.info(lifecycle.state, {
    version: host.engineVersion.version,
    backend: host.backend,
    count: enforcement.classification()?.guarded.length ?? 0,
  });
}
