// Something that is tried again and again while something else happens on the host: what failed, and when.

import { readFileSync } from "node:fs";
import { until } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";

/** A loop of attempts. */
export interface Pulse {
  readonly title: string;
  readonly beats: () => number;
  /** Moments of failed attempts, ms since the epoch. */
  readonly missed: () => readonly number[];
  /** Waits for three more that succeed. @throws Error when they do not come within 20 s */
  readonly goesOn: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** The loop in a shell. @param seconds for one attempt; on a busy machine even a process takes long to start */
export const loop = (attempt: string, seconds = 6): string =>
  `while :; do if timeout ${seconds} ${attempt} >/dev/null 2>&1; then echo beat; else echo "missed $(date +%s%3N)"; fi; sleep 0.3; done`;

/** Starts a command on the engine's host that prints what `loop` does, and waits for the first beats. */
export async function startPulse(engine: Engine, title: string, argv: readonly string[]): Promise<Pulse> {
  const started = engine.background(`${engine.name}-pulse-${title}`, argv);
  const lines = (): string[] => readFileSync(started.log, "utf8").split("\n");
  const beats = (): number => lines().filter((line) => line === "beat").length;
  const goesOn = async (): Promise<void> => {
    const from = beats();
    await until(
      `${engine.name}: ${title} to go on`,
      20_000,
      () => (beats() >= from + 3 ? true : undefined),
      () => lines().slice(-20).join("\n"),
    );
  };
  await goesOn();
  return {
    title,
    beats,
    missed: () =>
      lines()
        .flatMap((line) => /^missed (\d+)/.exec(line)?.[1] ?? [])
        .map(Number),
    goesOn,
    async stop() {
      if (started.alive()) process.kill(started.pid, "SIGTERM");
      await until(`end of ${title}`, 10_000, () => (started.alive() ? undefined : true));
    },
  };
}

/** The same for an attempt of the host's own. */
export function pulseOfHost(engine: Engine, title: string, attempt: string): Promise<Pulse> {
  return startPulse(engine, title, ["bash", "-c", loop(attempt)]);
}
