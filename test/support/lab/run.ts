// One run of the lab: everything that it makes carries its name, so that it can be found and ended by anyone later.
// A run whose owner died is ended when the next one begins.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { isAlive, ownerOf } from "./owner.ts";
import { endRuns } from "./run-end.ts";
import { cgroupRoot, readRecord, runPrefix, sharedFolder, writeRecord } from "./run-record.ts";

/** A background process of a run. */
export type Background = { readonly pid: number; readonly alive: () => boolean; readonly log: string };

/** A run of the lab. */
export type Run = {
  /** `dwlab-` and the run's own part; begins the name of every namespace and cgroup. */
  readonly name: string;
  /** Everything that the run writes. */
  readonly folder: string;
  /** For files that its hosts are to see at the same place. */
  readonly shared: string;
  /** Wraps a command so that its processes, and theirs, count as the run's own. */
  readonly owned: (argv: readonly string[]) => string[];
  /** Starts a process that outlives this one; its output goes to a log, never to a pipe that would keep a caller waiting. */
  readonly background: (name: string, argv: readonly string[]) => Background;
  /** Notes that the run uses a cache entry, so that nobody cleans it away. */
  readonly keep: (entry: string) => void;
};

/** @property stays keep the run when its owner ends, until `endRun` */
export type RunOptions = { readonly id?: string | undefined; readonly stays?: boolean };

/** Begins a run, after ending those that a crash has left. */
export async function beginRun({ id, stays = false }: RunOptions = {}): Promise<Run> {
  if (process.getuid?.() !== 0) throw new Error("lab: only root can make namespaces and mounts");
  await endRuns("abandoned");
  // Nothing but a word: names of namespaces are taken apart at the hyphens.
  if (id !== undefined && !/^\w+$/.test(id)) throw new Error(`lab: ${id} is not a word`);
  const name = runPrefix + (id ?? randomBytes(3).toString("hex"));
  if (readRecord(name) !== undefined) throw new Error(`lab: a run ${name} is up already`);
  const folder = join(cacheFolder, "runs", name);
  const shared = sharedFolder(name);
  const record = { owner: ownerOf(), stays, folder, keep: [] as string[] };
  writeRecord(name, record);
  for (const old of [folder, shared]) await rm(old, { recursive: true, force: true });
  for (const made of [join(folder, "log"), shared]) await mkdir(made, { recursive: true });
  const group = join(cgroupRoot, name, "lab");
  await mkdir(group, { recursive: true });

  const owned = (argv: readonly string[]): string[] => [
    ...["sh", "-c", 'echo $$ > "$0" && exec "$@"', join(group, "cgroup.procs")],
    ...argv,
  ];
  const background = (title: string, argv: readonly string[]): Background => {
    const log = join(folder, "log", title);
    const [file, ...args] = owned(argv);
    const fd = openSync(log, "a");
    const child = spawn(file as string, args, { stdio: ["ignore", fd, fd], detached: true });
    closeSync(fd);
    child.unref();
    const { pid } = child;
    if (pid === undefined) throw new Error(`lab: could not start ${argv.join(" ")}`);
    const self = ownerOf(pid);
    return { pid, log, alive: () => child.exitCode === null && child.signalCode === null && isAlive(self) };
  };
  const keep = (entry: string): void => {
    record.keep.push(entry);
    writeRecord(name, record);
  };
  return { name, folder, shared, owned, background, keep };
}
