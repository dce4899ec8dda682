// What is sent to a MAC that is reserved for the protocols of bridges comes to the host as if its port were on no bridge. A
// port without a chain is that of a container that has started while no daemon runs: here there are the real rules and
// sets, and the host's tables as a daemon leaves them.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { bootGuardUnit } from "../../../src/core/firewall/boot-guard.ts";
import { addressBytes, type IpAddress } from "../../../src/core/model/address.ts";
import { openPortTable, removePortTable } from "../../../src/edge/kernel/nftables/host/port-table.ts";
import { changed, icmp6Frame, summed6, toMac, udpFrame, Wire } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { join, makeBridges, raiseWall } from "../../support/sandbox-plane.ts";
import { execStarts } from "../../support/systemd.ts";

enterNamespaces(import.meta.url);

run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
makeBridges();
run("ip", "address", "add", "2001:db8:1::1/64", "dev", "br-app", "nodad");
const wall = await raiseWall();
const box = createNamespace("box");
box.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
join(box, "eth0", "198.19.1.2/24", "2001:db8:1::2/64");
const wire = new Wire(box, "eth0");
after(async () => {
  wire.close();
  await wall.remove();
});

const socket = createSocket("udp6");
const from: string[] = [];
socket.on("message", (_message, { port }) => from.push(`${port}`));
before(async () => {
  socket.bind(0, "::");
  await once(socket, "listening");
});
after(() => socket.close());

const linkLocal = /(fe80:\S+)\//.exec(box.run("ip", "-6", "-o", "address", "show", "dev", "eth0"))?.[1] ?? "";
/** Of the host's end of the box's link, which is an interface like any other to what comes so. */
const portLinkLocal =
  /(fe80:\S+)\//.exec(run("ip", "-6", "-o", "address", "show", "dev", "box-eth0"))?.[1] ?? "";

/** A router that lives for half an hour. */
function advertisement(): Uint8Array {
  const frame = Uint8Array.of(...icmp6Frame(134, linkLocal), 0, 0, 0, 0, 0, 0, 0, 0);
  const longer = changed(frame, 14 + 5, 16);
  return summed6(changed(changed(longer, 14 + 40 + 6, 0x07), 14 + 40 + 7, 0x08), 2);
}

const macs = ["01:80:c2:00:00:02", "01:80:c2:00:00:03", "01:80:c2:00:00:0e", "01:80:c2:00:00:0f"] as const;
const targets = [
  ["198.19.1.2", "198.19.1.1"],
  ["2001:db8:1::2", "2001:db8:1::1"],
  [linkLocal, portLinkLocal],
] as const;

/** Sends to all of the MACs, each datagram from a port of its own. @returns the ports that have come */
async function arriving(): Promise<readonly string[]> {
  from.length = 0;
  const { port } = socket.address();
  let number = 5000;
  for (const mac of macs) {
    for (const [source, destination] of targets) {
      const sent = udpFrame(source, destination, port, number++);
      wire.send(toMac(mac, source.includes(":") ? summed6(sent, 6) : sent));
    }
    wire.send(toMac(mac, advertisement()));
  }
  // By loopback, behind all of them.
  const last = createSocket("udp6").bind(0, "::1");
  await once(last, "listening");
  last.send("last", port, "::1");
  const mark = `${last.address().port}`;
  await until("the last", 2_000, () => (from.includes(mark) ? true : undefined));
  last.close();
  return from.filter((each) => each !== mark);
}

const routes = (): string => run("ip", "-6", "route", "show", "default");

describe("frames to a reserved MAC, by a port without a chain", () => {
  it("get past the rules where there is no table of ours: the control", async () => {
    assert.ok(addressBytes(portLinkLocal as IpAddress).length === 16);
    assert.deepEqual((await arriving()).length, macs.length * targets.length);
    assert.match(routes(), /via fe80:\S+ dev box-eth0/);
    run("ip", "-6", "route", "flush", "default");
  });

  it("are dropped when a daemon has run, and when it has ended", async () => {
    const table = openPortTable();
    assert.deepEqual(await arriving(), []);
    table.close();
    assert.deepEqual(await arriving(), []);
    assert.equal(routes(), "");
    // The next one takes it over.
    openPortTable().close();
    assert.deepEqual(await arriving(), []);
  });

  it("are dropped again when other software has taken the rule or the table away", async () => {
    removePortTable();
    const table = openPortTable("shared");
    for (const words of ["flush chain inet dockerwall reserved", "delete table inet dockerwall"]) {
      run("nft", ...words.split(" "));
      assert.notDeepEqual(await arriving(), []);
      table.heal();
      assert.deepEqual(await arriving(), [], words);
    }
    table.close();
  });

  it("are dropped from boot on, and when a daemon has taken over what the boot guard has made", async () => {
    removePortTable();
    const [, command = []] = execStarts(bootGuardUnit([]), "ExecStartPost");
    for (const _ of ["at boot", "when the unit is started again"]) {
      run(...(command as [string, ...string[]]));
      assert.deepEqual(await arriving(), []);
    }
    const table = openPortTable();
    assert.deepEqual(await arriving(), []);
    table.remove();
    table.close();
  });

  it("pass when all of it is removed", async () => {
    removePortTable();
    assert.doesNotMatch(run("nft", "list", "tables"), /inet dockerwall/);
    assert.notDeepEqual(await arriving(), []);
  });
});
