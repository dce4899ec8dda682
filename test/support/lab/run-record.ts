// Who owns a run, written where any later process finds it, and what of a run exists on the machine.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Owner } from "./owner.ts";

const records = "/run/dockerwall-lab";
/** Where named network namespaces are, as `ip netns` has it. */
export const netnsFolder = "/run/netns";
/** Begins the name of every run. */
export const runPrefix = "dwlab-";

/** A run's folder that is at the same place on the machine and on its hosts, see host.ts. */
export function sharedFolder(name: string): string {
  return join("/tmp", name);
}

/**
 * What is on record of a run.
 * @property stays it outlives its owner
 * @property keep cache entries that it uses and that must not be removed under it
 */
export type RunRecord = {
  readonly owner: Owner;
  readonly stays: boolean;
  readonly folder: string;
  readonly keep: readonly string[];
};

// The named pids hierarchy on cgroup v1, the only one on v2. Being in a cgroup is inherited and cannot be lost by forking,
// which makes it the one sound list of a run's processes, those in containers included (see dockerd's cgroup-parent).
/** Hierarchy in which a run's processes are counted. */
export const cgroupRoot = existsSync("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup";

/** Every hierarchy: containers leave a cgroup in each. */
export function hierarchies(): string[] {
  if (cgroupRoot === "/sys/fs/cgroup") return [cgroupRoot];
  return readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name));
}

/** The folder and all below it, deepest first; none when it is not there. */
export function cgroupsBelow(path: string): string[] {
  let children: string[];
  try {
    children = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
  return [...children.flatMap(cgroupsBelow), path];
}

/** The pids of every process of a run, children's cgroups included. */
export function processesOf(name: string): number[] {
  return cgroupsBelow(join(cgroupRoot, name)).flatMap((folder) => {
    try {
      return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

/** Names of a run's network namespaces. */
export function namespacesOf(name: string): string[] {
  if (!existsSync(netnsFolder)) return [];
  return readdirSync(netnsFolder).filter((entry) => entry.startsWith(`${name}-`));
}

/** Mount points of this process at or below the paths, the inner ones first. */
export function mountsUnder(...paths: readonly string[]): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? []);
  return points
    .filter((point) => paths.some((path) => point === path || point.startsWith(`${path}/`)))
    .reverse();
}

/** The record of a run, or undefined when it has none. */
export function readRecord(name: string): RunRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(records, `${name}.json`), "utf8")) as RunRecord;
  } catch {
    return undefined;
  }
}

/** Writes a record in one step: a reader of half a record would take the run for a dead one. */
export function writeRecord(name: string, record: RunRecord): void {
  mkdirSync(records, { recursive: true });
  const draft = join(records, `.${name}.draft`);
  writeFileSync(draft, JSON.stringify(record));
  renameSync(draft, join(records, `${name}.json`));
}

/** Forgets a run. */
export function removeRecord(name: string): void {
  rmSync(join(records, `${name}.json`), { force: true });
}

/** Names of all runs of which anything is left, whichever process made them. */
export function allRuns(): string[] {
  const recorded = existsSync(records)
    ? readdirSync(records).flatMap((file) => /^(\w+-\w+)\.json$/.exec(file)?.[1] ?? [])
    : [];
  const inCgroups = hierarchies().flatMap((path) => readdirSync(path));
  const spaces = existsSync(netnsFolder) ? readdirSync(netnsFolder) : [];
  const owners = spaces.flatMap((space) => /^(\w+-\w+)-/.exec(space)?.[1] ?? []);
  const names = [...recorded, ...inCgroups, ...owners].filter((name) => name.startsWith(runPrefix));
  return [...new Set(names)];
}

/** Cache entries that runs are using now. */
export function keptEntries(): Set<string> {
  return new Set(allRuns().flatMap((name) => readRecord(name)?.keep ?? []));
}
