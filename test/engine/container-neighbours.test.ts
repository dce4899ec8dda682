// What one container does is not its neighbours' loss, and tells them nothing, on real engines: sockets of ours that it
// destroys, what a cache could tell, networks whose ranges overlap, addresses without number. Each time something shows
// that the attempt is a real one.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen, long, printRow } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  fails,
  inside,
  network,
  run,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { cpuSeconds } from "../support/figures.ts";
import { pause, until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { loop, startPulse } from "../support/pulse.ts";

const engines = chosen(bothBackends);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("beside one container", { concurrency: true }, () => {
  for (const { name } of engines)
    describe(name, { concurrency: 1 }, () => {
      it("an address of another network gives nobody that network's rights", () =>
        anotherNetworksAddress(lab.engine(name)));
      it("first lookups without us leave, and can be told from those that do not", () =>
        firstLookupsWithout(lab.engine(name)));
      it("sockets that a sandbox destroys are opened again", () => destroyedSockets(lab.engine(name)));
      it("the TTL of an answer tells nothing of another network", () => lifetimes(lab.engine(name)));
      it("a name cannot lead into another network's range", () => namesIntoNetworks(lab.engine(name)));
      it("a range that includes others hides none of them", () => overlappingRange(lab.engine(name)));
      it("addresses without number cost no other container anything", () =>
        crowdOfAddresses(lab.engine(name), ""));
      it("nor do those of a container that is not guarded", () => crowdOfAddresses(lab.engine(name)));
      it("a full set of owners opens nothing", () => fullSet(lab.engine(name)));
    });
});

const answered = async (engine: Engine, container: string, ...args: string[]): Promise<boolean> =>
  /203\.0\.113\.11/.test(
    (await inside(engine, container, "dig", "+short", "+time=1", "+tries=1", ...args, "www.example.com"))
      .stdout,
  );

/** A packet from an address that is not the container's own, by that of a network with more rights. */
async function anotherNetworksAddress(engine: Engine): Promise<void> {
  await network(engine, "poor", "", "--subnet", "198.19.201.0/24");
  await network(engine, "rich", "203.0.113.31", "--subnet", "198.19.202.0/24");
  await client(engine, "thief", "poor", "--cap-add", "NET_ADMIN");
  await client(engine, "owner", "rich", "--ip", "198.19.202.2");
  // As a host that routes for its networks: what is closed then is closed by us.
  await engine.exec("iptables", "-w", "-I", "DOCKER-USER", "-j", "ACCEPT");
  await engine.exec("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
  const send = `
import socket
for source in ("198.19.202.50", "198.19.202.2"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((source, 0))
    for n in range(3): s.sendto(b"as another", ("203.0.113.31", 9000))
`;
  await succeeds(engine, "thief", "ip", "address", "add", "198.19.202.50/32", "dev", "eth0");
  await succeeds(engine, "thief", "ip", "address", "add", "198.19.202.2/32", "dev", "eth0");
  const seen = async (): Promise<number> => {
    const capture = await lab.capture(engine.name, "dst host 203.0.113.31 and udp");
    await succeeds(engine, "thief", "python3", "-c", send);
    await pause(300);
    return (await capture.stop()).length;
  };
  assert.equal(await seen(), 6, "without Dockerwall");
  try {
    await deploy(engine);
    await assertKept();
  } finally {
    await engine.docker("exec", "dockerwall", "dockerwall", "uninstall");
    await engine.docker("rm", "-f", "dockerwall", "thief", "owner");
    await engine.docker("network", "rm", "poor", "rich");
  }

  async function assertKept(): Promise<void> {
    // The rightful one has opened the same door.
    await succeeds(engine, "owner", ...curl("http://203.0.113.31/"));
    await succeeds(
      engine,
      "owner",
      "python3",
      "-c",
      send.replace('"198.19.202.50", "198.19.202.2"', '"198.19.202.2",'),
    );
    assert.equal(await seen(), 0, "with it");
    // Nor is its question answered as that one's.
    await fails(
      engine,
      "thief",
      "dig",
      "+time=1",
      "+tries=1",
      "-b",
      "198.19.202.2",
      "@198.19.202.1",
      "www.example.com",
    );
  }
}

/** That a question which leaves is seen; then the daemon starts. */
async function firstLookupsWithout(engine: Engine): Promise<void> {
  await network(engine, "first", "www.example.com");
  try {
    assert.equal(await firstLookups(engine, "without"), 6);
  } finally {
    await deploy(engine);
  }
}

/** New containers whose first instruction asks for a name that is denied. @returns how many of the 6 questions left */
async function firstLookups(engine: Engine, title: string): Promise<number> {
  const ask = ["busybox:lab", "nslookup", "-type=a"];
  for (let n = 0; n < 6; n++)
    await engine.docker(
      "run",
      "--rm",
      "--network",
      "first",
      ...ask,
      `${title}${n}-${engine.name}.example.org`,
    );
  await pause(300);
  const asked = (await lab.internet.queries()).filter(
    ({ name }) => name.startsWith(title) && name.includes(`-${engine.name}.`),
  );
  const left = new Set(asked.map(({ name }) => name)).size;
  printRow(engine.name, `first lookups, ${title}`, `${left} of 6 left`);
  return left;
}

async function destroyedSockets(engine: Engine): Promise<void> {
  await network(engine, "app", "www.example.com");
  await network(engine, "plain");
  const destroy = "ss -K -a -u > /dev/null; ss -K -a -t > /dev/null";
  for (const [title, on] of [
    ["admin", "app"],
    ["plain-admin", "plain"],
  ] as const)
    await client(engine, title, on, "--cap-add", "NET_ADMIN");
  await client(engine, "beside", "app");
  // Docker's own resolver does not come back from it.
  assert.equal(await answered(engine, "plain-admin"), true);
  await succeeds(engine, "plain-admin", "sh", "-c", destroy);
  assert.deepEqual(
    [await answered(engine, "plain-admin"), await answered(engine, "plain-admin", "+tcp")],
    [false, false],
  );

  const pid = await run(engine, "inspect", "-f", "{{.State.Pid}}", "dockerwall");
  for (let round = 1; round <= 3; round++) {
    for (const how of ["+notcp", "+tcp"]) assert.equal(await answered(engine, "admin", how), true, how);
    await succeeds(engine, "admin", "sh", "-c", destroy);
    const from = performance.now();
    for (const how of ["+notcp", "+tcp"])
      await until(`${engine.name}: answers again, ${how}`, 10_000, async () =>
        (await answered(engine, "admin", how)) ? true : undefined,
      );
    printRow(
      engine.name,
      "sockets destroyed",
      `answers again after ${Math.round(performance.now() - from)} ms`,
    );
    assert.equal(await answered(engine, "beside"), true);
  }
  const before = cpuSeconds(pid);
  await pause(2_000);
  const spent = cpuSeconds(pid) - before;
  assert.ok(spent < 1.5, `${spent} s of 2`);
  await run(engine, "rm", "-f", "admin", "plain-admin", "beside");
}

async function lifetimes(engine: Engine): Promise<void> {
  await network(engine, "ours", "*.example.com");
  await network(engine, "theirs", "*.example.com");
  for (const [title, on] of [
    ["asked", "ours"],
    ["friend", "ours"],
    ["stranger", "theirs"],
  ] as const)
    await client(engine, title, on);
  const ttl = async (container: string, name: string): Promise<number> => {
    const said = await succeeds(engine, container, "dig", "+noall", "+answer", "+authority", name);
    return Number(/^\S+\s+(\d+)\s+IN/m.exec(said)?.[1] ?? assert.fail(`${container}: ${said}`));
  };
  for (const name of ["allowed.example.com", "alias.example.com"]) {
    const from = new Date();
    const first = await ttl("asked", name);
    await pause(4_000);
    const [friend, stranger] = [await ttl("friend", name), await ttl("stranger", name)];
    printRow(engine.name, name, `TTL ${first}, of a neighbour ${friend}, of another network ${stranger}`);
    // A neighbour's tells, so a cache that is shared would.
    assert.ok(friend <= first - 3, `${friend}`);
    assert.equal(stranger, first);
    const asked = (await lab.internet.queries()).filter(
      (query) => query.name === name && query.from === engine.link.host && query.time >= from,
    );
    assert.equal(asked.length, 2);
  }
  await run(engine, "rm", "-f", "asked", "friend", "stranger");
}

async function namesIntoNetworks(engine: Engine): Promise<void> {
  // www.example.com leads to 203.0.113.11, which is an address of a network here.
  await network(engine, "inner", undefined, "--subnet", "203.0.113.8/29", "--gateway", "203.0.113.9");
  await run(
    engine,
    ...["run", "-d", "--name", "target", "--network", "inner", "--ip", "203.0.113.11", "client:lab"],
    ...["python3", "-m", "http.server", "80"],
  );
  try {
    await network(engine, "leads", "*.example.com");
    await client(engine, "led", "leads");
    await client(engine, "guest", "inner");
    await succeeds(engine, "guest", ...curl("--retry", "5", "--retry-connrefused", "http://203.0.113.11/"));
    const answer = await succeeds(engine, "led", "dig", "www.example.com");
    assert.doesNotMatch(answer, /IN\s+A\s+203\.0\.113\.11/);
    await fails(
      engine,
      "led",
      ...curl("--resolve", "www.example.com:80:203.0.113.11", "http://www.example.com/"),
    );
    assert.equal(
      (await succeeds(engine, "led", "dig", "+short", "allowed.example.com")).trim(),
      "203.0.113.20",
    );
  } finally {
    await engine.docker("rm", "-f", "target", "led", "guest");
    await engine.docker("network", "rm", "inner", "leads");
  }
}

/** A network of another driver whose range includes those of guarded networks. */
async function overlappingRange(engine: Engine): Promise<void> {
  await run(
    engine,
    "swarm",
    "init",
    "--advertise-addr",
    engine.link.host,
    "--default-addr-pool",
    // What it takes for itself is outside of the range below: a network that is in its way is never made.
    "10.20.0.0/16",
  );
  try {
    await run(
      engine,
      "network",
      "create",
      "-d",
      "overlay",
      "--attachable",
      "--subnet",
      "198.16.0.0/12",
      "wide",
    );
    await until("the swarm to have made it", 20_000, async () =>
      (await run(engine, "network", "inspect", "-f", "{{.Driver}}", "wide")) === "overlay" ? true : undefined,
    );
    await network(engine, "narrow", "www.example.com");
    await run(engine, "restart", "dockerwall");
    await enforcing(engine);
    await client(engine, "late", "narrow");
    assert.equal(await answered(engine, "late"), true);
    await succeeds(engine, "late", ...curl("http://www.example.com/"));
    await fails(engine, "late", ...curl("http://203.0.113.30/"));
    const hidden = `overlap-${engine.name}.example.org`;
    assert.match(await succeeds(engine, "late", "dig", hidden), /NXDOMAIN[\s\S]*EDE: 15/);
    const left = (await lab.internet.queries()).filter(({ name }) => name === hidden);
    assert.deepEqual(left, []);
    const { warnings } = await status(engine);
    printRow(engine.name, "an overlay around guarded networks", `${warnings.length} warnings`);
    assert.match(
      warnings.join("\n"),
      /^network "narrow" \(198\.19\.\d+\.0\/24\) overlaps with "wide" \(overlay, 198\.16\.0\.0\/12\)/m,
    );
  } finally {
    await engine.docker("rm", "-f", "late");
    await engine.docker("swarm", "leave", "--force");
  }
}

const many = long ? 20_000 : 5_000;

async function crowdOfAddresses(engine: Engine, allow?: string): Promise<void> {
  await network(engine, "vast", allow, "--subnet", "198.19.64.0/18");
  await client(engine, "crowd", "vast", "--cap-add", "NET_ADMIN");
  await client(engine, "quiet", "app");
  const kind = allow === undefined ? "plain" : "guarded";
  const pulses = [
    await startPulse(
      engine,
      `crowd-lookup-${kind}`,
      engine.inside(["docker", "exec", "quiet", "sh", "-c", loop("dig +tries=2 +short www.example.com", 12)]),
    ),
    await startPulse(
      engine,
      `crowd-connect-${kind}`,
      engine.inside(["docker", "exec", "quiet", "sh", "-c", loop("curl -s http://www.example.com/", 15)]),
    ),
  ];
  const add = `
lines = ["address add 198.19.%d.%d/32 dev eth0" % (65 + n // 250, n % 250 + 2) for n in range(${many}) if 65 + n // 250 < 128]
lines += ["address add 198.18.%d.%d/32 dev eth0" % (20 + n // 250, n % 250 + 2) for n in range(${many} - len(lines))]
import subprocess
subprocess.run(["ip", "-force", "-batch", "-"], input="\\n".join(lines).encode(), stderr=subprocess.DEVNULL)
`;
  const from = performance.now();
  await succeeds(engine, "crowd", "python3", "-c", add);
  const had = Number(await succeeds(engine, "crowd", "sh", "-c", "ip -4 -o address show dev eth0 | wc -l"));
  assert.ok(had >= many, `${had} addresses`);
  assert.equal(await firstLookups(engine, `crowd-${kind}`), 0);
  await assertCaptured(engine, "crowd", allow !== undefined);
  for (const pulse of pulses) await pulse.goesOn();
  for (const pulse of pulses) {
    await pulse.stop();
    printRow(
      engine.name,
      pulse.title,
      `${pulse.beats()} attempts, ${pulse.missed().length} failed, ${had} addresses`,
    );
  }
  printRow(engine.name, "addresses without number", `${Math.round(performance.now() - from)} ms in all`);
  assert.deepEqual(
    pulses.map((pulse) => pulse.missed()),
    [[], []],
  );
  const { stdout } = await engine.exec(
    "sh",
    "-c",
    "ipset list dockerwall-owner4 | grep -c '^198\\.1[89]\\.'",
  );
  assert.ok(Number(stdout) < 200, `${stdout} owners`);
  await run(engine, "rm", "-f", "crowd", "quiet");
  await run(engine, "network", "rm", "vast");
}

/** Whether what it asks within is answered by us, and leaves for nowhere. */
async function assertCaptured(engine: Engine, container: string, captured: boolean): Promise<void> {
  const name = `own-${container}-${captured}-${engine.name}.example.org`;
  const denied = /NXDOMAIN[\s\S]*EDE: 15/.test((await inside(engine, container, "dig", name)).stdout);
  const left = (await lab.internet.queries()).filter((query) => query.name === name).length;
  assert.deepEqual({ denied, left: left > 0 }, { denied: captured, left: !captured });
}

/** Full by other hands: by what containers have it cannot be. */
async function fullSet(engine: Engine): Promise<void> {
  await client(engine, "quiet", "app");
  const { stdout } = await engine.exec("sh", "-c", "ipset list -t dockerwall-owner4");
  assert.match(stdout, /maxelem 65536/);
  await engine.exec(
    "sh",
    "-c",
    `seq 0 65535 | while read n; do echo "add dockerwall-owner4 10.$((n >> 16)).$((n >> 8 & 255)).$((n & 255))"; done | ipset -exist restore 2>/dev/null; true`,
  );
  const count = await engine.exec(
    "sh",
    "-c",
    "ipset list -t dockerwall-owner4 | sed -n 's/^Number of entries: //p'",
  );
  printRow(engine.name, "owners", `${count.stdout.trim()} entries`);
  assert.equal(await firstLookups(engine, "full"), 0);
  assert.equal(await answered(engine, "quiet"), true);
  await succeeds(engine, "quiet", ...curl("http://www.example.com/"));
  await fails(engine, "quiet", ...curl("http://203.0.113.30/"));
}
