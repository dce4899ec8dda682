// A bridge or another device of the host's with one machine on it, for kernel tests.

import { spawnSync } from "node:child_process";
import { createNamespace, run, type TestNamespace } from "./namespace.ts";

export interface Lan {
  readonly box: TestNamespace;
  /** IPv4 and IPv6, of the host on the bridge. */
  readonly host: readonly [string, string];
  /** The same of the machine. */
  readonly far: readonly [string, string];
}

let count = 0;

/** Makes the bridge, and a machine on it by a link whose name is none of the engine's. */
export function createLan(bridge: string): Lan {
  return createPlace(bridge, (number, box) => {
    run("ip", "link", "add", bridge, "type", "bridge");
    run("ip", "link", "add", `port${number}`, "type", "veth", "peer", "name", "eth0", "netns", box);
    run("ip", "link", "set", `port${number}`, "master", bridge, "up");
  });
}

/** The same with a device of this name that is no bridge; a pair stands in for a VLAN, a tap and others. */
export function createOther(device: string): Lan {
  return createPlace(device, (_, box) => {
    run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", box);
  });
}

function createPlace(bridge: string, link: (number: number, box: string) => void): Lan {
  count += 1;
  const number = count;
  const box = createNamespace(`lan${number}`);
  const addresses = (end: number): [string, string] => [
    `192.0.2.${number * 16 + end}`,
    `2001:db8:${number}::${end}`,
  ];
  const lan: Lan = { box, host: addresses(1), far: addresses(2) };
  run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  link(number, box.name);
  for (const [place, device, [v4, v6]] of [
    [run, bridge, lan.host],
    [box.run, "eth0", lan.far],
  ] as const) {
    place("ip", "addr", "add", `${v4}/28`, "dev", device);
    place("ip", "addr", "add", `${v6}/64`, "dev", device, "nodad");
    place("ip", "link", "set", device, "up");
  }
  return lan;
}

/** Which of the two families get from the host to the machine, and from there to the host. */
export function reachability({ box, host, far }: Lan): { readonly out: boolean[]; readonly in: boolean[] } {
  const reaches = (address: string, ...place: string[]): boolean => {
    const [command = "", ...args] = [...place, "ping", "-c", "1", "-W", "1", address];
    return spawnSync(command, args).status === 0;
  };
  return {
    out: far.map((address) => reaches(address)),
    in: host.map((address) => reaches(address, "ip", "netns", "exec", box.name)),
  };
}
