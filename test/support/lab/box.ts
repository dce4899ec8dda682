// A box is a machine in small: a root of its own (a writable overlay over a cached one), /run, /sys, resolv.conf,
// and a network namespace. A process that only sleeps holds its mount namespace, so that an engine which is
// restarted finds the very same one: with another, exec into containers kept by live-restore fails.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { attempt, type CommandOptions, type CommandResult, command, until } from "./command.ts";
import type { Background, Run } from "./run.ts";

/** A folder or file of the machine, seen in the box at `to`. */
export type Bind = { readonly from: string; readonly to: string };

/** What to make. `network`: a fresh namespace with a name, a fresh one without, or the machine's own. */
export type BoxOptions = {
  readonly name: string;
  readonly root: string;
  readonly network: "named" | "unnamed" | "machine";
  readonly binds?: readonly Bind[];
  /** Files to lay over the root before it is mounted, by path; a value of the form {link} is a symbolic link. */
  readonly files?: Readonly<Record<string, string | { readonly link: string }>>;
};

/** A box that is up. */
export type Box = {
  readonly name: string;
  /** The holder; /proc/PID/root is the box's root, /proc/PID/ns/net its network. */
  readonly pid: number;
  /** The folder of the machine that the box sees as /run. */
  readonly runFolder: string;
  /** Name under /run/netns, empty when the network has none. */
  readonly netns: string;
  /** The argv that runs a command inside. */
  readonly inside: (argv: readonly string[], options?: CommandOptions) => string[];
  readonly attempt: (argv: readonly string[], options?: CommandOptions) => Promise<CommandResult>;
  readonly command: (argv: readonly string[], options?: CommandOptions) => Promise<string>;
  readonly background: (name: string, argv: readonly string[]) => Background;
  /** Ends the box ahead of its run. What still runs inside must have been ended before. */
  readonly close: () => Promise<void>;
};

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// $1 lower, $2 the box's folder, then pairs of from and to. runc needs a real pivot_root: it refuses a plain chroot.
// The root ends up shared, as systemd makes it on a real host, so that rslave and rshared volumes work.
// /sys is mounted anew because sysfs shows the network namespace of its mounter; /run/netns is not the box's business.
const holder = `
set -e
lower=$1 box=$2; shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$box/upper,workdir=$box/work" "$box/root"
cd "$box/root"
mount --rbind /proc proc
mount --rbind /dev dev
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --bind "$box/run" run
while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "./$2"; else mkdir -p "$(dirname "./$2")"; [ -e "./$2" ] || : > "./$2"; fi
  mount --rbind "$1" "./$2"
  shift 2
done
mkdir .machine
pivot_root . .machine
umount -l /.machine
rmdir /.machine
mount --make-rshared /
: > /run/.ready
exec sleep infinity
`;

async function layFiles(upper: string, files: NonNullable<BoxOptions["files"]>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(upper, path);
    await mkdir(dirname(file), { recursive: true });
    if (typeof content === "string") await writeFile(file, content);
    else await command(["ln", "-sfn", content.link, file]);
  }
}

/** Opens a box; it lasts until its run ends. */
export async function openBox(run: Run, options: BoxOptions): Promise<Box> {
  const folder = join(run.folder, options.name);
  for (const name of ["upper", "work", "root", "run"]) await mkdir(join(folder, name), { recursive: true });
  await mkdir(join(folder, "run/lock"), { recursive: true });
  await layFiles(join(folder, "upper"), options.files ?? {});

  const netns = options.network === "named" ? `${run.name}-${options.name}` : "";
  if (netns !== "") {
    const path = join("/run/netns", netns);
    await mkdir("/run/netns", { recursive: true });
    await writeFile(path, "", { mode: 0o444 });
    await command(["unshare", `--net=${path}`, "true"]);
  }
  const enterNetwork = {
    named: ["nsenter", `--net=/run/netns/${netns}`],
    unnamed: ["unshare", "--net"],
    machine: [],
  };
  const binds = (options.binds ?? []).flatMap(({ from, to }) => [from, to]);
  const held = run.background(`${options.name}-holder`, [
    ...enterNetwork[options.network],
    ...["unshare", "--mount", "sh", "-c", holder, "sh", options.root, folder],
    ...binds,
  ]);
  await until(
    `box ${options.name}`,
    30_000,
    () => {
      if (!held.alive())
        throw new Error(`lab: box ${options.name} failed:\n${readFileSync(held.log, "utf8")}`);
      return existsSync(join(folder, "run/.ready")) ? true : undefined;
    },
    () => readFileSync(held.log, "utf8"),
  );

  const inside = (argv: readonly string[], { cwd = "/", env = {} }: CommandOptions = {}): string[] => {
    const variables = Object.entries({ PATH: searchPath, HOME: "/root", ...env }).map(
      ([key, value]) => `${key}=${value}`,
    );
    return run.owned([
      ...["nsenter", "--target", String(held.pid), "--mount", "--root", "--wd=/", "--net"],
      ...["/usr/bin/env", "-i", "-C", cwd, ...variables, ...argv],
    ]);
  };
  const outer = ({ cwd: _, env: __, ...rest }: CommandOptions): CommandOptions => rest;
  return {
    name: options.name,
    pid: held.pid,
    runFolder: join(folder, "run"),
    netns,
    inside,
    attempt: async (argv, given = {}) => await attempt(inside(argv, given), outer(given)),
    command: async (argv, given = {}) => await command(inside(argv, given), outer(given)),
    background: (name, argv) => run.background(name, inside(argv)),
    close: async () => {
      if (held.alive()) process.kill(held.pid, "SIGKILL");
      await until(`end of box ${options.name}`, 5000, () => (held.alive() ? undefined : true));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
