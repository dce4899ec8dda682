// The ports of a bridge that are not plainly a container's, and the devices of the host's default routes.

import { closeSync, existsSync, readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import {
  type BridgePort,
  defaultRoutes4,
  defaultRoutes6,
  type FoundOnBridge,
  isPlainPort,
  strangePort,
} from "../../../core/classify/bridge-ports.ts";
import { interfaceIndex } from "../libc.ts";
import { openNamespace } from "../netns.ts";
import { readText } from "../proc/socket-holder.ts";
import { askLink, askNamespaceId } from "./link-questions.ts";
import { NETLINK_ROUTE, type NetlinkSocket, withNetlink } from "./socket.ts";

/**
 * A look at bridges: at ports that are no container's, and at the host's default routes. To be taken anew for each
 * picture.
 * @param sandboxFolders where engines have their sandboxes; without any, a link with a name of its own passes for a container's
 */
export function lookAtBridges(sandboxFolders: readonly string[]): (bridge: string) => FoundOnBridge {
  let routes: readonly string[] | undefined;
  const seen = new Map<string, FoundOnBridge>();
  const look = (bridge: string): FoundOnBridge => {
    const ports = portsOf(bridge).filter((name) => !isPlainPort(name));
    const strangers =
      ports.length === 0
        ? []
        : withNetlink(NETLINK_ROUTE, "ports of bridges", (socket) =>
            strangersAmong(socket, ports, sandboxFolders),
          );
    routes ??= [
      ...defaultRoutes4(readText("/proc/net/route")),
      // Empty for a kernel without IPv6.
      ...defaultRoutes6(readText("/proc/net/ipv6_route")),
    ];
    return {
      otherDevice: otherDevice(bridge),
      strangers,
      isWayOut: routes.includes(bridge),
      master: masterOf(bridge),
    };
  };
  return (bridge) => {
    const found = seen.get(bridge) ?? look(bridge);
    seen.set(bridge, found);
    return found;
  };
}

function strangersAmong(
  socket: NetlinkSocket,
  ports: readonly string[],
  sandboxFolders: readonly string[],
): string[] {
  let sandboxIds: ReadonlySet<number> | undefined;
  return ports.flatMap((name) => {
    const index = interfaceIndex(name);
    const link = index === undefined ? undefined : askLink(socket, index);
    if (link === undefined) return [];
    if (link.kind === "veth" && sandboxFolders.length > 0)
      sandboxIds ??= namespaceIds(socket, sandboxFolders);
    const inSandbox = sandboxIds === undefined ? undefined : sandboxIds.has(link.peerNamespace ?? -1);
    return strangePort({ name, kind: link.kind, inSandbox } satisfies BridgePort) ?? [];
  });
}

/** The kind of a device that is there and no bridge. */
function otherDevice(name: string): string | undefined {
  const index = existsSync(`/sys/class/net/${name}/bridge`) ? undefined : interfaceIndex(name);
  // Only netlink tells for certain: in sysfs a new bridge of the engine's is none for a moment, and would be let go.
  const link =
    index === undefined
      ? undefined
      : withNetlink(NETLINK_ROUTE, "ports of bridges", (socket) => askLink(socket, index));
  return link === undefined || link.kind === "bridge" ? undefined : (link.kind ?? "a physical device");
}

/** The device that an interface is a part of. */
function masterOf(name: string): string | undefined {
  try {
    return basename(readlinkSync(`/sys/class/net/${name}/master`));
  } catch {
    return undefined;
  }
}

/** Names of a bridge's ports. */
function portsOf(bridge: string): string[] {
  return namesIn(`/sys/class/net/${bridge}/brif`);
}

/** None where the folder is gone, or not made yet: an engine makes that of its sandboxes with its first container. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What the kernel calls these sandboxes in this namespace. */
function namespaceIds(socket: NetlinkSocket, folders: readonly string[]): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const path of folders.flatMap((folder) => namesIn(folder).map((name) => `${folder}/${name}`))) {
    const fd = openNamespace(path);
    if (fd === undefined) continue;
    try {
      const id = askNamespaceId(socket, fd);
      if (id !== undefined) ids.add(id);
    } finally {
      closeSync(fd);
    }
  }
  return ids;
}
