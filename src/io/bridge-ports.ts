// The ports of a bridge that are not plainly containers', and the devices of the host's default routes.

import { closeSync, readdirSync, readFileSync } from "node:fs";
import {
  type BridgePort,
  defaultRoutes4,
  defaultRoutes6,
  isPlainPort,
  strangePort,
} from "../firewall/bridge-ports.ts";
import { ENOENT } from "./libc.ts";
import { NETLINK_ROUTE, NetlinkError, type NetlinkSocket, openNetlink } from "./netlink.ts";
import {
  eachAttribute,
  hostBytes,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readHostInt,
  readText,
} from "./netlink-message.ts";
import { openNamespace } from "./netns.ts";

/** include/uapi/linux/rtnetlink.h, if_link.h, net_namespace.h */
const RTM_GETLINK = 18;
const RTM_GETNSID = 90;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_LINK_NETNSID = 37;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** struct ifinfomsg, and struct rtgenmsg with its padding. */
const LINK_HEADER = 16;
const NAMESPACE_HEADER = 4;
const ENODEV = 19;

/**
 * A look at bridges: ports that are no container's, and the host's default routes, in words; nothing for a bridge that
 * may be guarded. To be taken anew for each picture.
 * @param sandboxFolder the engine's folder of sandboxes; without it a link with a name of its own passes for a container's
 */
export function lookAtBridges(sandboxFolder: string | undefined): (bridge: string) => readonly string[] {
  let routes: readonly string[] | undefined;
  return (bridge) => {
    const ports = portsOf(bridge).filter((name) => !isPlainPort(name));
    const strangers =
      ports.length === 0 ? [] : withSocket((socket) => strangersAmong(socket, ports, sandboxFolder));
    routes ??= [
      ...defaultRoutes4(readFile("/proc/net/route")),
      ...defaultRoutes6(readFile("/proc/net/ipv6_route")),
    ];
    return [...strangers, ...(routes.includes(bridge) ? ["the host's default route"] : [])];
  };
}

function strangersAmong(
  socket: NetlinkSocket,
  ports: readonly string[],
  sandboxFolder: string | undefined,
): string[] {
  let sandboxIds: ReadonlySet<number> | undefined;
  return ports.flatMap((name) => {
    const link = readLink(socket, name);
    if (link === undefined) return [];
    if (link.kind === "veth" && sandboxFolder !== undefined)
      sandboxIds ??= namespaceIds(socket, sandboxFolder);
    const inSandbox = sandboxIds === undefined ? undefined : sandboxIds.has(link.namespaceId ?? -1);
    return strangePort({ name, kind: link.kind, inSandbox } satisfies BridgePort) ?? [];
  });
}

/** Names of a bridge's ports. */
function portsOf(bridge: string): string[] {
  try {
    return readdirSync(`/sys/class/net/${bridge}/brif`);
  } catch {
    // It is gone, or not made yet.
    return [];
  }
}

function readLink(
  socket: NetlinkSocket,
  name: string,
): { readonly kind: string | undefined; readonly namespaceId: number | undefined } | undefined {
  let kind: string | undefined;
  let namespaceId: number | undefined;
  socket.writer
    .reset()
    .message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK)
    .raw(new Uint8Array(LINK_HEADER));
  socket.writer.value(IFLA_IFNAME, Buffer.from(`${name}\0`));
  try {
    socket.request(`interface ${name}`, ({ view, start, end }) =>
      eachAttribute(view, start + LINK_HEADER, end, (type, from, to) => {
        if (type === IFLA_LINK_NETNSID) namespaceId = readHostInt(view, from);
        if (type !== IFLA_LINKINFO) return;
        eachAttribute(view, from, to, (inner, innerFrom, innerTo) => {
          if (inner === IFLA_INFO_KIND) kind = readText(view, innerFrom, innerTo);
        });
      }),
    );
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return undefined;
    throw error;
  }
  return { kind, namespaceId };
}

/** What the kernel calls the sandboxes of the engine in this namespace. */
function namespaceIds(socket: NetlinkSocket, folder: string): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const name of readdirSync(folder)) {
    const fd = openNamespace(`${folder}/${name}`);
    if (fd === undefined) continue;
    try {
      socket.writer
        .reset()
        .message(RTM_GETNSID, NLM_F_REQUEST | NLM_F_ACK)
        .raw(new Uint8Array(NAMESPACE_HEADER));
      socket.writer.value(NETNSA_FD, hostBytes(fd));
      socket.request(`the id of sandbox ${name}`, ({ view, start, end }) =>
        eachAttribute(view, start + NAMESPACE_HEADER, end, (type, from) => {
          if (type === NETNSA_NSID) ids.add(readHostInt(view, from));
        }),
      );
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.errno !== ENOENT) throw error;
    } finally {
      closeSync(fd);
    }
  }
  // "Not assigned": whoever has no id of its own here has no link to here.
  ids.delete(-1);
  return ids;
}

function withSocket<T>(work: (socket: NetlinkSocket) => T): T {
  const socket = openNetlink(NETLINK_ROUTE, "ports of bridges");
  try {
    return work(socket);
  } finally {
    socket.close();
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A kernel without that family.
    return "";
  }
}
