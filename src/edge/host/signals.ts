// Signals that are not for us: a logrotate rule, or a hand that thinks of other daemons, sends them. The default of most is
// to end the process, and an engine does not restart a container that was killed by `docker kill`; Node's own answer to
// SIGUSR1 is a debugger that any user of the host may connect to (--disable-sigusr1 in entrypoint.sh and main.ts holds
// until these listeners are there).

import type { Log } from "./log.ts";

/**
 * Whatever ends a process by default and can be listened to, but SIGTERM and SIGINT, and what the kernel says of a fault.
 * SIGPIPE comes with every pipe that is closed at its other end, and Node ignores it by itself.
 */
const meaningless = [
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGIO",
  "SIGPWR",
  "SIGSTKFLT",
  "SIGXCPU",
  "SIGXFSZ",
] as const satisfies readonly NodeJS.Signals[];

/** None of them does anything from now on. That one came is logged, as its sender may have hoped for something. */
export function outlastSignals(log: Log): void {
  for (const signal of meaningless)
    process.on(signal, () => {
      log.info("signal ignored: files are read again by themselves, and SIGTERM ends the daemon", { signal });
    });
}
