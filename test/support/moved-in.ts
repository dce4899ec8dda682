// Interfaces that a hand moves into the sandboxes of a kernel test, and what arrives of what is sent by them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { udpFrame, Wire } from "./frames.ts";
import { createNamespace, run, type TestNamespace } from "./namespace.ts";

const lanMac = "02:00:00:00:09:01";
let lan: TestNamespace | undefined;

/** Another network, which the host is on by a bridge that is not the engine's. */
export function makeLan(): void {
  lan = createNamespace("lan");
  run("ip", "link", "add", "other", "up", "type", "bridge");
  run(
    "ip",
    "link",
    "add",
    "lan0",
    "master",
    "other",
    "up",
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    "lan",
  );
  lan.run("ip", "address", "add", "10.9.0.1/24", "dev", "eth0");
  lan.run("ip", "link", "set", "eth0", "address", lanMac, "up");
  lan.run(
    "nft",
    `add table inet seen
   add chain inet seen in { type filter hook prerouting priority 0; }
   add rule inet seen in udp dport 9 counter`,
  );
}

function inLan(...command: [string, ...string[]]): string {
  return lan?.run(...command) ?? assert.fail("there is no other network");
}

/** How many datagrams have arrived there on UDP port 9. */
function arrived(): number {
  return Number(/packets (\d+)/.exec(inLan("nft", "list", "chain", "inet", "seen", "in"))?.[1]);
}

export interface Tries {
  /** Whether what a socket of its own sends arrives. */
  readonly sent: boolean;
  /** The same of a frame that is put on the wire by hand. */
  readonly put: boolean;
}

function arrives(work: () => void): boolean {
  const count = arrived();
  work();
  return arrived() > count;
}

/** Whether what a socket of a namespace sends to the other network arrives there, by whatever way. */
export function sendsOn({ name }: TestNamespace): boolean {
  return arrives(
    () => void spawnSync("ip", ["netns", "exec", name, "bash", "-c", "echo > /dev/udp/10.9.0.1/9"]),
  );
}

/** Whether a sandbox reaches the other network by an interface, which has an address of its own there. */
export function tries(box: TestNamespace, device: string, source: string): Tries {
  const wire = new Wire(box, device);
  const put = (): void => {
    try {
      wire.send(udpFrame(source, "10.9.0.1", 9));
    } catch {
      // The sender of what is dropped on its way out is told.
    }
  };
  try {
    return { sent: sendsOn(box), put: arrives(put) };
  } finally {
    wire.close();
  }
}

export const open: Tries = { sent: true, put: true };
export const closed: Tries = { sent: false, put: false };

let made = 0;

const kinds = {
  macvlan: (name: string) => void run("ip", "link", "add", "link", "other", "name", name, "type", "macvlan"),
  "veth to a bridge": (name: string) => {
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "far");
    run("ip", "link", "set", "far", "master", "other", "up");
  },
  "veth to a namespace": (name: string) => {
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "far", "netns", "lan");
    inLan("ip", "link", "set", "far", "address", lanMac, "up");
  },
};

/** An interface that is made at the host, is moved into a sandbox by hand, and leads to the other network. */
export function moveIn(
  { name, run: inside }: TestNamespace,
  device: string,
  kind: keyof typeof kinds,
): string {
  made += 1;
  const address = `10.9.0.${made + 1}`;
  kinds[kind](device);
  run("ip", "link", "set", device, "netns", name);
  inside("ip", "address", "add", `${address}/24`, "dev", device);
  inside("ip", "link", "set", device, "up");
  inside("ip", "neighbour", "replace", "10.9.0.1", "lladdr", lanMac, "dev", device);
  return address;
}
