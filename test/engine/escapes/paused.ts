// A container that is paused while what it was granted ends: what it has open is cut all the same, and what it sends
// when it goes on is judged anew.

import { run } from "../../support/dockerwall.ts";
import { pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Packet } from "../../support/lab/pcap.ts";
import { type Stage, start } from "./stage.ts";
import type { Claim, Section } from "./table.ts";

export interface PausedRow extends Claim {
  readonly to: string;
  readonly when: "before the pause" | "after it";
}

/** What it holds, in the words of hold.py, and where to. */
const flows = [
  ["an open TCP flow", "tcp", "203.0.113.95"],
  ["an open UDP flow", "udp", "203.0.113.96"],
  ["an echo that goes on", "ping", "203.0.113.97"],
  ["new TCP flows", "tcp-again", "203.0.113.98"],
  ["new UDP flows", "udp-again", "203.0.113.99"],
  ["an open TCP flow, IPv6", "tcp", "2001:db8:2::35"],
  ["an open UDP flow, IPv6", "udp", "2001:db8:2::36"],
  ["an echo that goes on, IPv6", "ping", "2001:db8:2::37"],
  ["new TCP flows, IPv6", "tcp-again", "2001:db8:2::38"],
  ["new UDP flows, IPv6", "udp-again", "2001:db8:2::39"],
] as const;

export const paused: Section<PausedRow> = {
  title: "Paused while what was granted for a while ends",
  rows: flows.flatMap(([name, , to]): PausedRow[] => [
    { name: `before the pause: ${name}`, to, when: "before the pause", guarded: "open" },
    { name: `after it: ${name}`, to, when: "after it" },
  ]),
};

/** When it was begun, paused, let go on, and ended. */
export interface Slept {
  readonly begunAt: Date;
  readonly pausedAt: Date;
  readonly resumedAt: Date;
  readonly endedAt: Date;
}

/** Until all flows are open on a busy machine. */
const grantedSeconds = 45;

/**
 * Has a container open its flows; with Dockerwall in force they are granted for a while. Returns what pauses it until that
 * has ended, and lets it go on.
 */
export async function prepareSleep({ engine }: Stage, guarded: boolean): Promise<() => Promise<Slept>> {
  const begunAt = new Date();
  await start(engine, "sleeper", { on: "guarded" });
  if (guarded) {
    const entries = flows.map(([, , to]) => (to.includes(":") ? `[${to}]` : to));
    const rule = ["allow", "sleeper", ...entries, "--for", `${grantedSeconds}s`];
    await run(engine, "exec", "dockerwall", "dockerwall", ...rule);
  }
  const held = flows.map(([, kind, to]) => `${kind}:${to}`);
  await run(engine, "exec", "-d", "sleeper", "python3", "/escapes/hold.py", ...held);
  await until("the flows", 60_000, async () => {
    const { exitCode } = await engine.docker("exec", "sleeper", "test", "-e", "/tmp/holding");
    return exitCode === 0 ? true : undefined;
  });
  return async () => ({ begunAt, ...(await sleep(engine, guarded)) });
}

async function sleep(engine: Engine, guarded: boolean): Promise<Omit<Slept, "begunAt">> {
  await pause(2000);
  // On a busy machine runc may give up before the last process has stopped.
  await until("the pause", 20_000, async () => {
    const { exitCode } = await engine.docker("pause", "sleeper");
    return exitCode === 0 ? true : undefined;
  });
  const pausedAt = new Date();
  if (guarded) await cut(engine);
  const resumedAt = new Date();
  await run(engine, "unpause", "sleeper");
  await pause(4000);
  const endedAt = new Date();
  await run(engine, "rm", "-f", "sleeper");
  return { pausedAt, resumedAt, endedAt };
}

/** What is open is cut by the daemon, which learns of the end by a timer, and says so when it is done. */
async function cut(engine: Engine): Promise<void> {
  await until("the flows to be cut", (grantedSeconds + 60) * 1000, async () => {
    const { stdout, stderr } = await engine.docker("logs", "--since", "3m", "dockerwall");
    return /were cut: [^}]*\\"sleeper\\"/.test(stdout + stderr) ? true : undefined;
  });
}

/** Whether a row's packets were seen when it is about. */
export function wasSeen({ to, when }: PausedRow, packets: readonly Packet[], slept: Slept): boolean {
  const [from, end] =
    when === "after it" ? [slept.resumedAt, slept.endedAt] : [slept.begunAt, slept.pausedAt];
  return packets.some(({ dst, time }) => dst === to && time > from && time < end);
}
