// By what of its settings a container could step around any wall on its network.

import type { Hazard } from "../model/topology.ts";
import { pointsAtEngine } from "./engine-api.ts";

/** What a container is given of the host, as the engine and Compose call it. */
export interface HostSettings {
  readonly privileged: boolean;
  readonly networkMode: string;
  readonly pidMode: string;
  /** Capabilities, in either form and case. */
  readonly capAdd: readonly string[];
  /** Paths on the host. */
  readonly mounts: readonly string[];
  readonly devices: readonly string[];
  /** As NAME=VALUE. */
  readonly environment: readonly string[];
}

/** What each of them means, to follow the name of a container. */
export const hazardSentences: Readonly<Record<Hazard, string>> = {
  "docker-socket": "has the Docker socket, and with it control of the host",
  "engine-api":
    "is pointed at an engine's API over TCP by its environment, and has control of that engine's host where it reaches it",
  privileged: "is privileged, and can change the host's firewall",
  "host-network": "is on the host's network, which is not guarded",
  "host-pid": "sees the host's processes, and with SYS_ADMIN or SYS_PTRACE their networks",
  "sys-admin": "has SYS_ADMIN, with which it can enter and change the host's namespaces",
  kernel:
    "has a right over the host's kernel (SYS_MODULE, SYS_RAWIO, SYS_BOOT, BPF or PERFMON), and with it control of the host",
  "host-files": "has DAC_READ_SEARCH, with which it can open files of the host",
  "host-devices": "has a host device that holds the host's memory or disks, and with it control of the host",
  "net-admin":
    "has NET_ADMIN, and with it the host's own interfaces unless the engine maps users (userns-remap): it is NOT contained",
};

/** Memory, ports and disks; a whole folder of devices has them, too. */
const hostDevice =
  /^\/dev(\/(k?mem|port|core|sd[a-z].*|vd[a-z].*|xvd[a-z].*|nvme\d.*|dm-\d+|mapper(\/.*)?|mmcblk\d.*))?$/;

/** What such a container has that no wall can hold. */
export function hazardsOf(settings: HostSettings): Hazard[] {
  const { mounts, devices } = settings;
  const added = settings.capAdd.map(capability);
  const has = (...names: readonly string[]): boolean =>
    [...names, "ALL"].some((name) => added.includes(name));
  const found: Readonly<Record<Hazard, boolean>> = {
    "docker-socket": mounts.some(
      (source) =>
        /(^|\/)(docker|containerd|crio|podman)\.sock$/.test(source) ||
        ["/", "/run", "/var/run", "/run/containerd", "/var/run/containerd"].includes(source),
    ),
    "engine-api": settings.environment.some(pointsAtEngine),
    privileged: settings.privileged,
    "host-network": settings.networkMode === "host",
    "host-pid": settings.pidMode === "host",
    "sys-admin": has("SYS_ADMIN"),
    kernel: has("SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "BPF", "PERFMON"),
    "host-files": has("DAC_READ_SEARCH"),
    "host-devices": [...devices, ...mounts].some((path) => hostDevice.test(path)),
    "net-admin": has("NET_ADMIN"),
  };
  return (Object.keys(found) as Hazard[]).filter((hazard) => found[hazard]);
}

/**
 * Whether such a container can put no frame on a wire by hand: the engine gives NET_RAW to all others.
 * @param capDrop capabilities that are taken from it, in either form and case
 */
export function forgesNothing(settings: HostSettings, capDrop: readonly string[]): boolean {
  const isDropped = capDrop.map(capability).some((name) => name === "NET_RAW" || name === "ALL");
  const isAdded = settings.capAdd.map(capability).includes("NET_RAW");
  return isDropped && !isAdded && hazardsOf(settings).length === 0;
}

const capability = (name: string): string => name.toUpperCase().replace(/^CAP_/, "");
