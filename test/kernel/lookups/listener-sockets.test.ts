// Sockets that are spoilt: replies that nobody takes, and sockets that their sandbox destroys.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { closeSync } from "node:fs";
import { createConnection } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readCounters } from "../../../src/core/counters/registry.ts";
import { renderFrame } from "../../../src/core/dns/wire/framing.ts";
import { addressBytes, anyAddress } from "../../../src/core/model/address.ts";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { socketAddress } from "../../../src/edge/kernel/socket-address.ts";
import { listenOnHost, listenOnHostByTcp } from "../../../src/edge/listener/host.ts";
import { listenLasting } from "../../../src/edge/listener/lasting-listener.ts";
import { listenTcp } from "../../../src/edge/listener/tcp.ts";
import { type DnsHandler, listenUdp } from "../../../src/edge/listener/udp.ts";
import { openAddressSocket, openDnsSocket } from "../../../src/edge/sandbox/sockets.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { macOf, Station, udp } from "../../support/stations.ts";

enterNamespaces(import.meta.url);

run("ip", "link", "set", "lo", "up");

const port = 5053;
/** As long as an answer may be. */
const echo: DnsHandler = (message, _client, reply) => reply(Buffer.concat([message, Buffer.alloc(1_200)]));

const bridges = ["br-aaaaaaaaaaaa", "br-bbbbbbbbbbbb"] as const;
for (const [index, bridge] of bridges.entries()) {
  run("ip", "link", "add", bridge, "up", "type", "bridge");
  run("ip", "address", "add", `198.19.${index + 1}.1/24`, "dev", bridge);
  run("ip", "address", "add", `2001:db8:${index + 1}::1/64`, "dev", bridge, "nodad");
}
const stationOn = (name: string, bridge: string, mac: string): Station => {
  const box = createNamespace(name);
  run("ip", "link", "add", `v${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `v${name}`, "master", bridge, "up");
  return new Station(box, mac, macOf(bridge));
};
const flooder = stationOn("flooder", bridges[0], "02:00:00:00:00:01");
const neighbour = stationOn("neighbour", bridges[0], "02:00:00:00:00:02");
const quiet = stationOn("quiet", bridges[1], "02:00:00:00:00:03");

const families = [
  { family: 4, address: (network: number, host: number) => `198.19.${network}.${host}` },
  { family: 6, address: (network: number, host: number) => `2001:db8:${network}::${host.toString(16)}` },
] as const;

let serial = 0;

/** How many of 40 questions were answered, to each of two askers who take answers, while another one takes none. */
async function answeredDuringFlood({ address }: (typeof families)[number]): Promise<number[]> {
  const askers = [
    [neighbour, address(1, 200), 1],
    [quiet, address(2, 200), 2],
  ] as const;
  const texts = askers.map(() => [] as string[]);
  let host = 2;
  for (let round = 0; round < 40; round++) {
    // Under addresses that nobody answers for: each reply waits for its neighbour.
    for (let count = 0; count < 40; count++) {
      const source = address(1, 2 + (host++ % 150));
      const body = udp(1_000 + count, port, "flood");
      flooder.send({ source, destination: address(1, 1), protocol: 17, body });
    }
    for (const [index, [station, source, network]] of askers.entries()) {
      const text = `question${++serial}.`;
      texts[index]?.push(text);
      station.send({ source, destination: address(network, 1), protocol: 17, body: udp(2_000, port, text) });
    }
    await sleep(10);
  }
  await sleep(300);
  return askers.map(([station], index) => texts[index]?.filter((text) => station.has(text)).length ?? 0);
}

async function prepare({ address }: (typeof families)[number]): Promise<void> {
  for (const station of [flooder, neighbour, quiet]) await station.listening();
  for (const bridge of bridges) run("sh", "-c", `echo 0 > /proc/sys/net/ipv6/conf/${bridge}/accept_dad`);
  for (const [station, network, bridge] of [
    [neighbour, 1, bridges[0]],
    [quiet, 2, bridges[1]],
  ] as const)
    run("ip", "neigh", "replace", address(network, 200), "lladdr", station.mac, "dev", bridge);
}

function forgetNeighbours(): void {
  for (const state of ["failed", "incomplete"]) run("ip", "neigh", "flush", "dev", bridges[0], "nud", state);
}

for (const each of families)
  test(`replies that nobody takes cost no other client its own, IPv${each.family}`, {
    timeout: 60_000,
  }, async () => {
    await prepare(each);
    const listeners = await listenOnHost({
      families: [4, 6],
      port,
      handler: echo,
      onProblem: (problem) => assert.fail(problem),
    });
    listeners.follow(bridges);
    const sockets = run("ss", "-Hlun");
    for (const bridge of bridges) assert.ok(sockets.includes(`%${bridge}:${port}`), sockets);
    const got = await answeredDuringFlood(each).finally(listeners.close);
    assert.deepEqual(got, [40, 40]);
    forgetNeighbours();
  });

for (const each of families)
  test(`one socket for all, as large as sockets are, would lose replies, IPv${each.family}`, {
    timeout: 60_000,
  }, async () => {
    await prepare(each);
    const socket = createSocket({ type: `udp${each.family}`, ipv6Only: each.family === 6 });
    socket.on("error", () => undefined);
    socket.on("message", (message, { address, port }) =>
      socket.send(Buffer.concat([message, Buffer.alloc(1_200)]), port, address, () => undefined),
    );
    await new Promise<void>((resolve) => socket.bind(port, resolve));
    const [beside = 0, away = 0] = await answeredDuringFlood(each);
    socket.close();
    assert.ok(beside < 40 && away < 40, `${beside} and ${away} of 40`);
    forgetNeighbours();
  });

test("replies that find no room in their socket are counted", { timeout: 60_000 }, async () => {
  const [each] = families;
  await prepare(each);
  const unsent = (): number => readCounters().find(({ name }) => name === "answers_unsent")?.value ?? 0;
  const before = unsent();
  const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a socket");
  libc.bind(fd, socketAddress(addressBytes(anyAddress(4)), port), "a socket");
  const listener = await listenUdp({ fd, family: 4 }, echo);
  const [beside = 0] = await answeredDuringFlood(each).finally(listener.close);
  assert.ok(beside < 40, `${beside} of 40`);
  assert.ok(unsent() - before >= 40 - beside, `${unsent() - before} counted, ${beside} of 40 answered`);
  forgetNeighbours();
});

test("the first socket finds out whose the port is, and nobody takes it afterwards", async () => {
  const address = anyAddress(4);
  const first = await listenUdp({ address, port: 0 }, echo);
  await assert.rejects(listenUdp({ address, port: first.port }, echo), { code: "PORT_TAKEN" });
  const shared = await listenUdp({ address, port: first.port, device: bridges[0] }, echo);
  const steal = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(1, 2, 1); s.bind(("0.0.0.0", ${first.port}))`;
  assert.throws(() => run("python3", "-c", steal), /Address already in use/);
  await shared.close();
  await first.close();
});

for (const transport of ["udp", "tcp"] as const)
  test(`a socket for ${transport} that its sandbox destroys is opened again, and keeps nobody busy`, async (t) => {
    const box = createNamespace(`victim-${transport}`);
    closeSync(openAddressSocket(box.fd));
    const problems: string[] = [];
    let port: number | undefined;
    const listener = await listenLasting({
      open: async (onLost) => {
        const at = { fd: openDnsSocket(box.fd, transport, port).fd, family: 4 } as const;
        const opened = await (transport === "udp"
          ? listenUdp(at, echo, { onLost })
          : listenTcp(at, echo, {}, { onLost }));
        port = opened.port;
        return opened;
      },
      onOpen: () => undefined,
      onProblem: (problem) => problems.push(problem),
    });
    t.after(() => listener.close());
    const flags = transport === "udp" ? "-uK" : "-tlK";
    for (let round = 1; round <= 3; round++) {
      box.run("ss", flags, "-a", "src", `127.0.0.11:${port}`);
      const ask = `
import socket, time
for n in range(100):
  try:
    s = socket.socket(socket.AF_INET, socket.${transport === "udp" ? "SOCK_DGRAM" : "SOCK_STREAM"}); s.settimeout(0.2)
    s.connect(("127.0.0.11", ${port})); s.send(b"\\0\\3abc"); assert s.recv(99); break
  except (OSError, AssertionError): time.sleep(0.05)
else: raise SystemExit("no answer")`;
      const child = spawn("ip", ["netns", "exec", box.name, "python3", "-c", ask], { stdio: "inherit" });
      const [code] = await new Promise<[number | null]>((resolve) =>
        child.once("exit", (code) => resolve([code])),
      );
      assert.equal(code, 0, problems.join());
      // Nothing is to happen any more, for which there is no event to wait for.
      const before = performance.eventLoopUtilization();
      await sleep(300);
      const { utilization } = performance.eventLoopUtilization(before);
      assert.ok(utilization < 0.8, `the loop is at work for ${utilization} of the time`);
      assert.equal(problems.length, round, problems.join());
    }
  });

test("sockets on the host that are destroyed are opened again, each for what it was for", async (t) => {
  const problems: string[] = [];
  const listeners = await listenOnHost({
    families: [4, 6],
    port,
    handler: echo,
    onProblem: (problem) => problems.push(problem),
  });
  t.after(() => listeners.close());
  /** Until these sockets stand and no others, and so many were destroyed before. */
  const stand = async (devices: readonly string[], lost: number): Promise<void> => {
    const wanted = ["0.0.0.0", "[::]"].flatMap((each) => devices.map((device) => `${each}${device}:${port}`));
    const found = (): string[] =>
      run("ss", "-Hlun", "sport", "=", `:${port}`)
        .split("\n")
        .flatMap((line) => line.trim().split(/\s+/)[3] ?? []);
    const isSo = (): boolean =>
      problems.length >= lost && String(found().toSorted()) === String(wanted.toSorted());
    for (let i = 0; i < 100 && !isSo(); i++) await sleep(20);
    assert.ok(isSo(), `${found()}; ${problems.join()}`);
  };
  const destroy = (): string => run("ss", "-uK", "-a", "sport", "=", `:${port}`);
  await stand([""], 0);
  destroy();
  await stand([""], 2);
  listeners.follow(bridges);
  const devices = ["", ...bridges.map((bridge) => `%${bridge}`)];
  await stand(devices, 2);
  // The kernel looks a socket up again to destroy it, and may miss one for all among those for bridges.
  destroy();
  await stand(devices, 2 + 4);
  for (const bridge of bridges)
    assert.equal(problems.filter((problem) => problem.includes(bridge)).length, 2, problems.join());
  for (const [type, address] of [
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const) {
    const client = createSocket(type);
    const answered = new Promise<void>((resolve) => client.once("message", () => resolve()));
    client.send("question", port, address);
    await answered.finally(() => client.close());
  }
});

test("sockets for TCP on the host that are destroyed are opened again, and answer", async (t) => {
  const problems: string[] = [];
  const listeners = await listenOnHostByTcp({
    families: [4, 6],
    port,
    handler: echo,
    onProblem: (problem) => problems.push(problem),
  });
  t.after(() => listeners.close());
  const isAnswered = (host: string): Promise<boolean> =>
    new Promise((resolve) => {
      const client = createConnection({ host, port });
      client.once("connect", () => client.write(renderFrame(Buffer.from("question"))));
      client.once("data", () => resolve(true));
      client.once("error", () => resolve(false));
      client.setTimeout(2_000, () => resolve(false));
      t.after(() => client.destroy());
    });
  for (let lost = 0; lost <= 2; lost += 2) {
    if (lost > 0) run("ss", "-tlK", "sport", "=", `:${port}`);
    for (const host of ["127.0.0.1", "::1"]) {
      let answered = await isAnswered(host);
      for (let i = 0; i < 60 && !answered; i++) {
        await sleep(50);
        answered = await isAnswered(host);
      }
      assert.ok(answered, `${host}: ${problems.join()}`);
    }
    assert.equal(problems.length, lost, problems.join());
  }
});

test("a listener that cannot be opened at first is tried again, and told of", async () => {
  const told: string[] = [];
  let attempts = 0;
  let closed = 0;
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  const listener = await listenLasting({
    open: () => {
      if (++attempts < 3) throw new Error(`attempt ${attempts}`);
      return Promise.resolve({ port: 1, close: async () => void closed++ });
    },
    onOpen: resolve,
    onProblem: (problem) => told.push(problem),
  });
  assert.deepEqual(told, ["attempt 1"]);
  await opened;
  assert.deepEqual(told, ["attempt 1", "attempt 2"]);
  await listener.close();
  assert.equal(closed, 1);
});

test.after(() => {
  for (const station of [flooder, neighbour, quiet]) station.close();
});
