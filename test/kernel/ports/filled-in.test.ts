// A sender may leave two bytes of a packet to be filled in with a checksum, wherever it says (PACKET_VNET_HDR, which
// NET_RAW suffices for). Where the kernel does that after the packet was judged, it leaves for another address than the
// one that was granted: so it is done inside the container already.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { join as joinPath } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { allRead } from "../../../src/core/askers/knowledge.ts";
import { checksumsTable } from "../../../src/core/firewall/names.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../../src/edge/kernel/netlink/socket.ts";
import { openNamespace, withNamespace } from "../../../src/edge/kernel/netns.ts";
import { tableFlags, writeBatch, writeNewTable } from "../../../src/edge/kernel/nftables/write.ts";
import { type Offloads, withOffloads } from "../../../src/edge/kernel/offloads.ts";
import { giveBackChecksums, OwnChecksums } from "../../../src/edge/sandbox/ports/own-checksums.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  type Plane,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";
import { macOf, Station } from "../../support/stations.ts";

enterNamespaces(import.meta.url);

const places = {
  4: {
    granted: "203.0.113.10",
    denied: "203.0.113.30",
    outside: "203.0.113.1/24",
    guarded: "198.19.1.2",
    open: "198.19.3.2",
  },
  6: {
    granted: "2001:db8:99::10",
    denied: "2001:db8:99::30",
    outside: "2001:db8:99::1/64",
    guarded: "2001:db8:1::2",
    open: "2001:db8:3::2",
  },
} as const;
const families = [4, 6] as const;
type Family = (typeof families)[number];
type Who = "guarded" | "open";

const exec = promisify(execFile);
makeBridges();
run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
for (const [bridge, address] of [
  ["br-app", "2001:db8:1::1/64"],
  ["br-plain", "2001:db8:3::1/64"],
] as const)
  run("ip", "address", "add", address, "dev", bridge, "nodad");
const farBox = createNamespace("far");
run("ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", "far");
const far = new Station(farBox, "02:00:00:00:00:09", macOf("out0"));
for (const { outside, granted, denied } of Object.values(places)) {
  run("ip", "address", "add", outside, "dev", "out0", ...(outside.includes(":") ? ["nodad"] : []));
  const [flags, six] = outside.includes(":") ? [["nodad"], "-6"] : [[], "-4"];
  farBox.run("ip", "address", "add", `${granted}${outside.slice(-3)}`, "dev", "eth0", ...flags);
  farBox.run("ip", six, "route", "add", "default", "via", outside.slice(0, -3));
  for (const address of [granted, denied])
    run("ip", "neigh", "add", address, "lladdr", far.mac, "dev", "out0");
}

const boxes: Record<Who, TestNamespace> = {
  guarded: createNamespace("guarded"),
  open: createNamespace("open"),
};
const bridges: Record<Who, string> = { guarded: "br-app", open: "br-plain" };
const containers = [
  containerOf("guarded", "guarded", [app, places[4].guarded]),
  containerOf("open", "open", [plain, places[4].open]),
];

const wall = await raiseWall();
let started: Plane;
const ended: (() => Promise<void>)[] = [];
before(async () => {
  started = await startPlane({ after: (end) => ended.push(end as () => Promise<void>) });
  await post(started.plane, containers);
  for (const who of ["guarded", "open"] as const) {
    const net = who === "guarded" ? 1 : 3;
    join(boxes[who], "eth0", `${places[4][who]}/24`);
    boxes[who].run("ip", "address", "add", `${places[6][who]}/64`, "dev", "eth0", "nodad");
    boxes[who].run("ip", "route", "add", "default", "via", `198.19.${net}.1`);
    boxes[who].run("ip", "-6", "route", "add", "default", "via", `2001:db8:${net}::1`);
  }
  await post(started.plane, containers);
  started.plane.tellReadings(allRead);
  await far.listening();
});
after(async () => {
  far.close();
  for (const end of ended) await end();
  await wall.remove();
});

/** Tells what has come by one connection, by its hash. */
const takeOne = `
import hashlib, socket, sys
s = socket.create_server((sys.argv[1], 9000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("listening", flush=True)
c, data = s.accept()[0], hashlib.sha256()
while part := c.recv(1 << 16): data.update(part)
print(data.hexdigest(), flush=True)
`;

/** In the place of a lookup, again and again: the data plane takes out what it has not granted. */
async function whileGranted<T>(family: Family, work: () => Promise<T>): Promise<T> {
  const { granted, guarded } = places[family];
  const grant = (): void => {
    for (const protocol of ["udp", "tcp"])
      run("ipset", "-exist", "add", `dockerwall-grant${family}`, `${granted},${protocol}:9000,${guarded}`);
  };
  grant();
  const granting = setInterval(grant, 50);
  try {
    return await work();
  } finally {
    clearInterval(granting);
  }
}

let serial = 0;
const mark = (): string => `mark${String(++serial).padStart(6, "0")}`;

/** What comes to the far side of a packet of this shape, once all that was sent before has come. */
async function destinations(who: Who, family: Family, shape: string): Promise<readonly string[] | "refused"> {
  const { granted, denied } = places[family];
  const text = mark();
  const args = [shape, macOf(bridges[who]), places[family][who], granted, denied, text];
  const script = joinPath(import.meta.dirname, "../../support/unfilled.py");
  const { stdout } = await whileGranted(family, () =>
    exec("ip", ["netns", "exec", boxes[who].name, "python3", script, ...args]),
  );
  await send(who, family);
  if (stdout.startsWith("refused")) return "refused";
  return far.received(text).map(({ destination }) => destination);
}

/** An ordinary datagram to what is granted, which arrives. */
async function send(who: Who, family: Family): Promise<void> {
  const text = mark();
  const kind = family === 4 ? "AF_INET" : "AF_INET6";
  // More than once, as the grant may just have been taken out.
  const code = `import socket, time
s = socket.socket(socket.${kind}, socket.SOCK_DGRAM)
for _ in range(5): s.sendto(b"${text}", ("${places[family].granted}", 9000)); time.sleep(0.06)`;
  await whileGranted(family, () => exec("ip", ["netns", "exec", boxes[who].name, "python3", "-c", code]));
  assert.equal((await far.next(text)).destination, places[family].granted);
}

const uplink = {
  "that is narrower": () => run("ip", "link", "set", "out0", "mtu", "1400"),
  "without checksums": () => withOffloads((offloads) => offloads.set("out0", "transmit-checksums", false)),
} as const;
const asItWas = (): void => {
  run("ip", "link", "set", "out0", "mtu", "1500");
  withOffloads((offloads) => offloads.set("out0", "transmit-checksums", true));
};

const shapes = [
  [4, "fragments", undefined],
  [4, "large", "that is narrower"],
  [4, "segments", "that is narrower"],
  [4, "stream", "that is narrower"],
  [4, "xdp", "that is narrower"],
  [6, "fragments", undefined],
  [6, "small", "without checksums"],
  [6, "segments", "without checksums"],
] as const;

for (const [family, shape, through] of shapes)
  describe(`IPv${family}, ${shape}${through === undefined ? "" : `, by an uplink ${through}`}`, () => {
    before(() => {
      if (through !== undefined) uplink[through]();
    });
    after(asItWas);

    it("an open container fills in another address than was judged", async (t) => {
      const found = await destinations("open", family, shape);
      if (found === "refused" || found.length === 0) t.skip("not by this kernel");
      else assert.ok(found.includes(places[family].denied));
    });

    it("a guarded one does not, whose port merges", async () => {
      assert.equal(isMerging("guarded"), true);
      assert.ok(!(await destinations("guarded", family, shape)).includes(places[family].denied));
    });
  });

const throughUplinks = [undefined, "that is narrower", "without checksums"] as const;

for (const family of families)
  for (const through of throughUplinks) {
    const by = through === undefined ? "" : `, by an uplink ${through}`;
    it(`a guarded container's ordinary connections go on, IPv${family}${by}`, async (t) => {
      t.after(asItWas);
      if (through !== undefined) uplink[through]();
      await upload(t, "guarded", family);
      await send("guarded", family);
    });
  }

/** What a container sends by one connection arrives as it was sent. @returns bytes of each packet that it crossed the host in */
async function upload(t: TestContext, who: Who, family: Family): Promise<number> {
  const { granted } = places[family];
  const bytes = 4 << 20;
  const server = spawn("ip", ["netns", "exec", "far", "python3", "-c", takeOne, granted], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => server.kill());
  const lines = createInterface({ input: server.stdout });
  await once(lines, "line");
  const heard = once(lines, "line");
  const client = `import hashlib, socket, random
data = random.Random(7).randbytes(${bytes})
with socket.create_connection(("${granted}", 9000), 20) as s: s.sendall(data)
print(hashlib.sha256(data).hexdigest())`;
  const before = sentPackets("out0");
  const { stdout } = await whileGranted(family, () =>
    exec("ip", ["netns", "exec", boxes[who].name, "python3", "-c", client]),
  );
  assert.deepEqual(await heard, [stdout.trim()]);
  return bytes / (sentPackets("out0") - before);
}

function sentPackets(device: string): number {
  const [, counters = ""] = new RegExp(`${device}:(.*)`).exec(run("cat", "/proc/net/dev")) ?? [];
  return Number(counters.trim().split(/ +/)[9]);
}

describe("the ports of containers", () => {
  it("of an open one merge nothing", () => assert.equal(isMerging("open"), false));

  it("of a guarded one merge what its kernel has cut, and only they do that", async (t) => {
    assert.ok((await upload(t, "guarded", 4)) > 4 * 1448);
    assert.ok((await upload(t, "guarded", 6)) > 4 * 1428);
    merge("guarded", false);
    t.after(() => merge("guarded", true));
    assert.ok((await upload(t, "guarded", 4)) <= 1448);
  });
});

describe("the devices of a container", () => {
  const plane = (): Plane["plane"] => started.plane;

  it("of an open one are left alone", () => assert.equal(areOffloaded("open"), true));

  it("of a guarded one fill in nothing, whatever it does about that", async () => {
    assert.equal(areOffloaded("guarded"), false);
    offload("guarded", true);
    await until("the next look", 10_000, () => (areOffloaded("guarded") ? undefined : true));
  });

  it("are its own again where it can put nothing on a wire by hand", async () => {
    const [guarded = assert.fail(), open = assert.fail()] = containers;
    await post(plane(), [{ ...guarded, forgesNothing: true }, open]);
    assert.equal(areOffloaded("guarded"), true);
    const joined = { ...containerOf("joined", undefined), networkMode: `container:${guarded.id}` };
    await post(plane(), [{ ...guarded, forgesNothing: true }, open, joined]);
    assert.equal(areOffloaded("guarded"), false);
    await post(plane(), containers);
  });

  it("are given back as they were", async () => {
    const own = createNamespace("own");
    run("ip", "link", "add", "own-eth0", "type", "veth", "peer", "name", "own0");
    withOffloads((offloads) => offloads.set("own0", "transmit-checksums", false));
    merge("own", true);
    run("ip", "link", "set", "own0", "netns", "own", "name", "eth0");
    run("ip", "link", "set", "own-eth0", "master", "br-app", "up");
    own.run("ip", "address", "add", "198.19.1.7/24", "dev", "eth0");
    await post(plane(), [...containers, containerOf("own", "own", [app, "198.19.1.7"])]);
    for (const end of ended.splice(0)) await end();
    assert.equal(areOffloaded("guarded"), false);
    assert.equal(isMerging("guarded"), true);
    for (const { fd } of [boxes.guarded, own]) giveBackChecksums(fd);
    assert.equal(areOffloaded("guarded"), true);
    assert.equal(isMerging("guarded"), false);
    assert.doesNotMatch(boxes.guarded.run("nft", "list", "tables"), /checksums/);
    assert.equal(areOffloaded("own"), false);
    assert.equal(isMerging("own"), true);
  });

  it("are given back, and no other port, whatever the notes of a sandbox say", () => {
    const box = boxWithPort("forger");
    const forged = `port-${portIndexOf("own")}-of-${indexOf(box, "eth0")}`;
    box.run("nft", `add table inet dockerwall-checksums; add chain inet dockerwall-checksums ${forged}`);
    giveBackChecksums(box.fd);
    assert.equal(isMerging("own"), true);
  });

  it("fill in nothing either where their ports cannot merge", () => {
    const box = boxWithPort("refused");
    const [index, port] = [indexOf(box, "eth0"), portIndexOf("refused")];
    const checksums = new OwnChecksums(box.fd);
    offload("refused", false);
    const holder = withNamespace(box.fd, () => openNetlink(NETLINK_NETFILTER, "the holder of a table"));
    // Nobody else may note anything in it.
    writeBatch(holder.writer.reset(), () => writeNewTable(holder.writer, checksumsTable, tableFlags.owned));
    holder.request("to hold a table");
    checksums.keep([{ index, port }]);
    assert.equal(isMerging("refused"), false);
    holder.close();
    checksums.noteChange();
    checksums.keep([{ index, port }]);
    assert.equal(isMerging("refused"), true);
  });
});

/** No container's. */
function boxWithPort(name: string): TestNamespace {
  const box = createNamespace(name);
  run("ip", "link", "add", `${name}-eth0`, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
  return box;
}

function areOffloaded(box: string): boolean {
  return inBox(box, (offloads) => offloads.isOn("eth0", "transmit-checksums"));
}

function offload(box: string, on: boolean): void {
  inBox(box, (offloads) => offloads.set("eth0", "transmit-checksums", on));
}

function inBox<T>(box: string, work: (offloads: Offloads) => T): T {
  const fd = openNamespace(`/run/netns/${box}`) ?? assert.fail();
  try {
    return withNamespace(fd, () => withOffloads(work));
  } finally {
    closeSync(fd);
  }
}

/** Whether a container's port does. */
function isMerging(box: string): boolean {
  return withOffloads((offloads) => offloads.isOn(`${box}-eth0`, "generic-receive"));
}

function merge(box: string, on: boolean): void {
  withOffloads((offloads) => offloads.set(`${box}-eth0`, "generic-receive", on));
}

function indexOf(box: TestNamespace, device: string): number {
  return Number(/^\d+/.exec(box.run("ip", "-o", "link", "show", device)));
}

function portIndexOf(box: string): number {
  return Number(/^\d+/.exec(run("ip", "-o", "link", "show", `${box}-eth0`)));
}
