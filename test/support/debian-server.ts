// Real servers out of Debian's packages, started straight from the folder that the lab unpacks them into.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lab/roots.ts";

/** Unpacking needs root, as `chroot` does. */
export const cannotUnpack = process.getuid?.() !== 0 && "only root can unpack Debian packages";

/** The argv of a program of the resolver's root: its own loader and libraries, no chroot. */
async function programOf(path: string): Promise<readonly string[]> {
  const folder = await root("resolver");
  const libraries = readdirSync(join(folder, "usr/lib"))
    .filter((name) => name.endsWith("-linux-gnu"))
    .map((name) => join(folder, "usr/lib", name));
  const [loader] = libraries.flatMap((library) =>
    readdirSync(library)
      .filter((name) => /^ld-linux.*\.so\.\d$/.test(name))
      .map((name) => join(library, name)),
  );
  if (loader === undefined) throw new Error(`no loader in ${folder}`);
  return [loader, "--library-path", libraries.join(":"), join(folder, path)];
}

/** What every unbound of a test has in its `server:` clause. */
export function unboundSettings(folder: string): string {
  return `  do-daemonize: no
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: "${folder}/pid"
  use-syslog: no
  logfile: ""
  verbosity: 0
  module-config: "iterator"`;
}

/** Starts unbound with a configuration file; in a named network namespace, or on the machine's own network. */
export async function spawnUnbound(configFile: string, netns?: string): Promise<ChildProcess> {
  const enter = netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`];
  const [file = "", ...args] = [...enter, ...(await programOf("usr/sbin/unbound"))];
  return spawn(file, [...args, "-c", configFile, "-d"], { stdio: "ignore" });
}

/** Ends a server and waits for it. */
export async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill();
  await ended;
}
