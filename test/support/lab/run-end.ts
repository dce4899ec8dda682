// The end of a run, by the process that finds it: its owner, `lab:down`, or the next run after a crash.
import { existsSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { attempt, until } from "./command.ts";
import { isAlive } from "./owner.ts";
import {
  allRuns,
  cgroupsBelow,
  hierarchies,
  mountsUnder,
  namespacesOf,
  netnsFolder,
  processesOf,
  readRecord,
  removeRecord,
  runPrefix,
  sharedFolder,
} from "./run-record.ts";

async function killProcesses(name: string): Promise<void> {
  await until(`the end of ${name}'s processes`, 20_000, () => {
    const pids = processesOf(name);
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Ended by itself in between.
      }
    }
    return pids.length === 0 ? true : undefined;
  });
}

/** Ends a run: its processes (by cgroup), namespaces, mounts, cgroups and files. It may be called again after a failure. */
export async function endRun(name: string): Promise<void> {
  const record = readRecord(name);
  const folder = record?.folder ?? join(cacheFolder, "runs", name);
  await killProcesses(name);
  for (const space of namespacesOf(name)) {
    const path = join(netnsFolder, space);
    await attempt(["umount", "-l", path]);
    await rm(path, { force: true });
  }
  // The run's mounts live in its own mount namespaces; one in ours would make the removal below reach through it.
  for (const point of mountsUnder(folder)) await attempt(["umount", "-l", point]);
  for (const hierarchy of hierarchies()) {
    for (const group of cgroupsBelow(join(hierarchy, name))) {
      await until(`removal of ${group}`, 20_000, async () => {
        try {
          await rmdir(group);
          return true;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code === "EBUSY" ? undefined : true;
        }
      });
    }
  }
  for (const made of [folder, sharedFolder(name)])
    await rm(made, { recursive: true, force: true, maxRetries: 5 });
  removeRecord(name);
}

/**
 * The name of a run that is there, from that name or from the part of it that `--id` gave.
 * @throws Error when there is no such run
 */
export function runNamed(word: string, names: readonly string[] = allRuns()): string {
  const name = [word, `${runPrefix}${word}`].find((each) => names.includes(each));
  if (name !== undefined) return name;
  throw new Error(`lab: there is no run ${JSON.stringify(word)}; there are ${names.join(", ") || "none"}`);
}

/** What is left of a run on the machine, in words; empty after a clean end. */
export function leftovers(name: string): string[] {
  const folder = join(cacheFolder, "runs", name);
  return [
    ...processesOf(name).map((pid) => `process ${pid}`),
    ...namespacesOf(name).map((space) => `namespace ${space}`),
    ...mountsUnder(folder, ...namespacesOf(name).map((space) => join(netnsFolder, space))).map(
      (point) => `mount ${point}`,
    ),
    ...hierarchies()
      .flatMap((path) => cgroupsBelow(join(path, name)))
      .map((group) => `cgroup ${group}`),
    ...[folder, sharedFolder(name)].filter((path) => existsSync(path)).map((path) => `folder ${path}`),
    ...(readRecord(name) === undefined ? [] : ["record"]),
  ];
}

/** Ends runs: those whose owner is dead; with `staying` also those that were to outlive theirs; or really `all`. */
export async function endRuns(which: "abandoned" | "staying" | "all"): Promise<string[]> {
  const ended: string[] = [];
  for (const name of allRuns()) {
    const record = readRecord(name);
    const kept = which === "abandoned" ? record?.stays === true : false;
    const atWork = record !== undefined && !record.stays && isAlive(record.owner);
    if (kept || (atWork && which !== "all")) continue;
    await endRun(name);
    ended.push(name);
  }
  return ended;
}
