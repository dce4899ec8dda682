// The control socket's place in the file system. We already know that no other daemon runs on this host
// (src/edge/host/claim.ts), so a socket without a listener was left by a dead daemon and is replaced.

import { chmod, link, lstat, mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { DockerwallError } from "../../errors.ts";
import { describeHolder } from "../engine/describe-holder.ts";
import { findSocketHolder, readText } from "../kernel/proc/socket-holder.ts";
import { systemCode } from "../kernel/system-error.ts";

/**
 * Binds in a fresh 0700 folder, restricts the socket, and only then links it to its real name, so that the socket is
 * never more open than it should be.
 * @returns a function that removes the name again
 * @throws DockerwallError BAD_CONFIG, NO_PRIVILEGE
 */
export async function bindPrivately(server: Server, path: string): Promise<() => Promise<void>> {
  let folder: string | undefined;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    folder = await mkdtemp(join(dirname(path), ".c-"));
    const socket = join(folder, "s");
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: socket }, resolve);
    });
    await chmod(socket, 0o600);
    await clearWay(path);
    await link(socket, path);
    const { ino } = await lstat(socket, { bigint: true });
    return () => removeOwn(path, ino);
  } catch (error) {
    throw describeBindError(error, path);
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** Removes a socket without a listener. @throws DockerwallError BAD_CONFIG if anything else is there */
async function clearWay(path: string): Promise<void> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new DockerwallError(
      "BAD_CONFIG",
      `the control socket ${path} cannot be created: something other than a socket is there; remove it`,
    );
  }
  if (await answers(path)) {
    const holder = describeHolder(findSocketHolder(listenersAt(path)));
    throw new DockerwallError(
      "BAD_CONFIG",
      `the control socket ${path} is in use by ${holder}, or choose another --control-socket`,
    );
  }
  await rm(path, { force: true });
}

/** True unless the kernel says that there is no listener. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: 2_000 });
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(true));
    socket.once("error", (error) => {
      const code = systemCode(error);
      settle(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}

/** Inodes of sockets bound to a path in this network namespace; a daemon binds its own elsewhere, and links it. */
function listenersAt(path: string): ReadonlySet<string> {
  const rows = readText("/proc/net/unix").split("\n");
  return new Set(
    rows.flatMap((row) => {
      const [, inode, bound] = /^(?:\S+ +){6}([0-9]+) (.+)$/.exec(row) ?? [];
      return inode !== undefined && bound === path ? [inode] : [];
    }),
  );
}

async function removeOwn(path: string, inode: bigint): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch(ignoreMissing);
  if (found?.ino === inode) await rm(path, { force: true });
}

function describeBindError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === undefined || error instanceof DockerwallError) return error;
  const what = `the control socket ${path} cannot be created (${code})`;
  if (code === "EACCES" || code === "EPERM")
    return new DockerwallError("NO_PRIVILEGE", `${what}; run as root`, { cause: error });
  // On a read-only file system Node reports that there is no such folder.
  return new DockerwallError(
    "BAD_CONFIG",
    `${what}; make its folder writable, as with \`--tmpfs ${dirname(path)}\`, or set DOCKERWALL_CONTROL_SOCKET to another path`,
    { cause: error },
  );
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
}
