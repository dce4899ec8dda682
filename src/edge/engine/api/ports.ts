// Ports in the answers of the Engine API: those of a container itself, and those of the host that lead there.

import { type IpAddress, parseAddress } from "../../../core/model/address.ts";
import type { Container, ContainerPort, HostPorts } from "../../../core/model/topology.ts";
import { listOf, objectOf, textOf } from "./json.ts";

/** Where its port for DNS can be reached at addresses of the host. */
export function publishedOf(ports: unknown): Pick<Container, "published"> {
  const published = listOf(objectOf(ports)["53/udp"]).flatMap(parseBinding);
  return published.length === 0 ? {} : { published };
}

function parseBinding(binding: unknown): { address: IpAddress; port: number }[] {
  const { HostIp, HostPort } = objectOf(binding);
  const address = parseAddress(textOf(HostIp) || "0.0.0.0");
  return address === undefined ? [] : [{ address, port: Number(textOf(HostPort)) }];
}

/** Where its ports can be reached at addresses of the host. The engine lists each port of a range by itself. */
export function hostPortsOf(ports: unknown): Pick<Container, "hostPorts"> {
  const all = Object.entries(objectOf(ports)).flatMap(([key, bindings]) => {
    const protocol = publishedProtocols.get(key.split("/")[1] ?? "tcp");
    if (protocol === undefined) return [];
    // Without a number it is reached at the container's own address only.
    const bound = listOf(bindings)
      .flatMap(parseBinding)
      .filter(({ port }) => port > 0);
    return bound.map(({ address, port }) => ({ protocol, address, from: port, to: port }));
  });
  const hostPorts = mergedPorts(all);
  return hostPorts.length === 0 ? {} : { hostPorts };
}

/** Neighbouring ones of a protocol and an address as one. */
function mergedPorts(all: readonly HostPorts[]): readonly HostPorts[] {
  const places = Map.groupBy(all, ({ protocol, address }) => `${protocol} ${address}`);
  return [...places.values()].flatMap((its) => mergeSorted(its.toSorted((a, b) => a.from - b.from)));
}

function mergeSorted(sorted: readonly HostPorts[]): HostPorts[] {
  const merged: HostPorts[] = [];
  for (const next of sorted) {
    const last = merged.at(-1);
    if (last === undefined || next.from > last.to + 1) merged.push(next);
    else merged[merged.length - 1] = { ...last, to: next.to };
  }
  return merged;
}

/** IP protocols whose ports can be published. */
const publishedProtocols: ReadonlyMap<string, number> = new Map([
  ["tcp", 6],
  ["udp", 17],
  ["sctp", 132],
]);

/** The ports that it names, and those that the engine chose to publish (`-P`). */
export function publishesOf(bindings: unknown, ports: unknown): Pick<Container, "publishes"> {
  const chosen = Object.entries(objectOf(ports)).flatMap(([key, value]) => (value === null ? [] : [key]));
  const publishes = portsOf([...Object.keys(objectOf(bindings)), ...chosen]);
  return publishes.length === 0 ? {} : { publishes };
}

/** Of `PORT/PROTOCOL`, each once. */
export function portsOf(keys: readonly string[]): readonly ContainerPort[] {
  return [...new Set(keys)].flatMap((key) => {
    const [port = "", name = "tcp"] = key.split("/");
    const protocol = publishedProtocols.get(name);
    return protocol === undefined || !/^[0-9]+$/.test(port) ? [] : [{ protocol, port: Number(port) }];
  });
}
