// What is attached to a bridge besides containers. A bridge that has the host's own way out as a port, or carries the
// host's default route, carries packets that are not ours. Guarding it would cut the host off, so it is refused.
// A default route alone that comes once the bridge is guarded may be a container's doing (DHCP), so it opens nothing.

/** A port of a bridge, as the kernel describes it. */
export interface BridgePort {
  readonly name: string;
  /** `veth`, `bond`, `vlan`, `tun`, …; undefined for a physical device. */
  readonly kind: string | undefined;
  /** For a veth: whether its other end is in a sandbox of the engine; undefined if that is not known. */
  readonly inSandbox: boolean | undefined;
}

/** What the host has on a bridge, beside the containers' ports. */
export interface FoundOnBridge {
  /** What it is in words, if only its name is a bridge's: the host's own, as the engine makes nothing but bridges. */
  readonly otherDevice: string | undefined;
  /** Its ports that belong to no container, in words. */
  readonly strangers: readonly string[];
  /** Whether it carries the host's default route. */
  readonly isWayOut: boolean;
  /** The device that it is itself a part of (a VRF, a bond): rules would see that one in its place. */
  readonly master: string | undefined;
}

export const nothingFound: FoundOnBridge = {
  otherDevice: undefined,
  strangers: [],
  isWayOut: false,
  master: undefined,
};

/** What makes a device with a bridge's name the host's own, in words that follow that name; undefined for any other. */
export function whyHosts(found: FoundOnBridge): string | undefined {
  if (found.otherDevice !== undefined) return `is no bridge (${found.otherDevice})`;
  const own = hostsOwn(found);
  return own.length === 0 ? undefined : `has ${own.join(", ")}`;
}

/** Why a bridge may not be guarded, in words; nothing for one that may. */
export function hostsOwn({
  strangers,
  isWayOut,
}: Pick<FoundOnBridge, "strangers" | "isWayOut">): readonly string[] {
  return [...strangers, ...(isWayOut ? ["the host's default route"] : [])];
}

/** The engine's name for the host's end of a container's link. */
const dockerPort = /^veth[0-9a-f]{7}$/;

/** True for a port that needs no closer look: a look costs a question to the kernel. */
export function isPlainPort(name: string): boolean {
  return dockerPort.test(name);
}

/** What a port is, in words, unless it may be a container's. */
export function strangePort({ name, kind, inSandbox }: BridgePort): string | undefined {
  if (kind === undefined) return `${name} (a physical device)`;
  if (kind !== "veth") return `${name} (${kind})`;
  // A port with a custom name may be a container's all the same.
  return inSandbox === false ? `${name} (a link that leads to no container)` : undefined;
}

/** The devices of default routes in `/proc/net/route`. */
export function defaultRoutes4(text: string): readonly string[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device, destination, , flags = "0", , , , mask] = line.trim().split(/\s+/);
      const isDefault = destination === "00000000" && mask === "00000000";
      return device !== undefined && isDefault && isWay(Number.parseInt(flags, 16)) ? [device] : [];
    });
}

/**
 * The same in `/proc/net/ipv6_route`. A route from a router advertisement does not count: any container on the bridge
 * could have sent it, and so have brought the wall down.
 */
export function defaultRoutes6(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [destination, length, , , , , , , flags = "0", device] = line.trim().split(/\s+/);
    const bits = Number.parseInt(flags, 16);
    const isDefault = /^0{32}$/.test(destination ?? "") && length === "00" && (bits & ADDRCONF) === 0;
    return device !== undefined && device !== "lo" && isDefault && isWay(bits) ? [device] : [];
  });
}

/** include/uapi/linux/route.h and ipv6_route.h. */
const UP = 0x1;
const REJECT = 0x200;
const ADDRCONF = 0x40000;

function isWay(flags: number): boolean {
  return (flags & UP) !== 0 && (flags & REJECT) === 0;
}
