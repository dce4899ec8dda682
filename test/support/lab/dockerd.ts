// The engine's own process in its box: configuration, start, readiness, end.
import { existsSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import type { Box } from "./box.ts";
import { until } from "./command.ts";
import { isAlive, ownerOf } from "./owner.ts";
import type { Service } from "./service.ts";

/** The engine's configuration, as in daemon.json. */
export type DaemonConfig = Readonly<Record<string, unknown>>;

/** A running dockerd. */
export type Dockerd = { readonly pid: number; readonly alive: () => boolean; readonly log: string };

/** Where the engine of a box listens, as seen from the machine. */
export function socketOf(box: Box): string {
  return join(box.runFolder, "docker.sock");
}

/** For an engine that only holds or builds images: it touches no firewall, no sysctl and no link. */
export const withoutNetwork: DaemonConfig = {
  bridge: "none",
  iptables: false,
  ip6tables: false,
  "ip-forward": false,
  "ip-masq": false,
};

async function answers(socketPath: string): Promise<true | undefined> {
  return await new Promise((resolve) => {
    const probe = request({ socketPath, path: "/_ping", timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? true : undefined);
    });
    probe.on("error", () => resolve(undefined));
    probe.on("timeout", () => probe.destroy());
    probe.end();
  });
}

/**
 * Starts dockerd in the box and returns when its API answers.
 * All paths are Docker's defaults: what looks for an engine on a real host finds this one in the same places.
 */
export async function startDockerd(
  box: Box,
  config: DaemonConfig,
  service?: Pick<Service, "started">,
): Promise<Dockerd> {
  const json = JSON.stringify({ "storage-driver": "overlay2", ...config }, null, 2);
  await writeFile(join(box.runFolder, "daemon.json"), json);
  // A killed engine leaves its pidfile, and refuses to start when another process has got that pid since.
  await rm(join(box.runFolder, "docker.pid"), { force: true });
  await rm(socketOf(box), { force: true });
  const argv = ["dockerd", "--config-file", "/run/daemon.json"];
  const started = box.background(`${box.name}-dockerd`, service?.started(argv) ?? argv);
  const log = (): string => readFileSync(started.log, "utf8").slice(-3000);
  await until(
    `start of dockerd in ${box.name}`,
    60_000,
    async () => {
      if (!started.alive()) throw new Error(`lab: dockerd in ${box.name} ended at its start:\n${log()}`);
      return existsSync(socketOf(box)) ? await answers(socketOf(box)) : undefined;
    },
    log,
  );
  const pid = Number(await readFile(join(box.runFolder, "docker.pid"), "utf8"));
  return { pid, alive: started.alive, log: started.log };
}

/**
 * Ends dockerd by the given signal and waits until it is gone. SIGTERM gives the containers up to 10 s.
 * A killed dockerd takes its containerd along (by its parent-death signal); the shims, and so the containers, go on.
 */
export async function endDockerd(box: Box, dockerd: Dockerd, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const containerdPidFile = join(box.runFolder, "docker/containerd/containerd.pid");
  const containerd = existsSync(containerdPidFile)
    ? ownerOf(Number(readFileSync(containerdPidFile, "utf8")))
    : undefined;
  if (dockerd.alive()) process.kill(dockerd.pid, signal);
  await until("end of dockerd", 30_000, () => (dockerd.alive() ? undefined : true));
  if (containerd === undefined) return;
  await until("end of containerd", 10_000, () => (isAlive(containerd) ? undefined : true));
  // Where nobody reaps orphans at once it is a zombie by now, which the next dockerd would take for a running containerd.
  await rm(containerdPidFile, { force: true });
}
