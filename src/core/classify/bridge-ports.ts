// What hangs on a bridge beside containers. A bridge with the host's own way out as a port, or with the host's default
// route, carries packets that are none of ours: to guard it would cut the host off, so it is refused.

/** A port of a bridge, as the kernel describes it. */
export interface BridgePort {
  readonly name: string;
  /** `veth`, `bond`, `vlan`, `tun`, …; undefined for a physical device. */
  readonly kind: string | undefined;
  /** For a veth: whether its other end is in a sandbox of the engine; undefined when that cannot be told. */
  readonly inSandbox: boolean | undefined;
}

/** What the engine calls the host's end of a container's link. */
const dockerPort = /^veth[0-9a-f]{7}$/;

/** True for a port that need not be looked at more closely: a look costs a question to the kernel. */
export function isPlainPort(name: string): boolean {
  return dockerPort.test(name);
}

/** What a port is, in words, unless it may be a container's. */
export function strangePort({ name, kind, inSandbox }: BridgePort): string | undefined {
  if (kind === undefined) return `${name} (a physical device)`;
  if (kind !== "veth") return `${name} (${kind})`;
  // One that somebody has given a name of its own is a container's all the same.
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
 * The same in `/proc/net/ipv6_route`. One that a router advertisement made does not count: whoever is on the bridge
 * could have sent it, and so have the wall taken away.
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
