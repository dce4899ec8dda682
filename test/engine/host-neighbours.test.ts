// What else is on the host of an engine goes on as before, on real engines: another engine, the host's own way out over a
// bridge that a network has taken, the host's resolver in a container that is guarded. Through a start, a sudden death,
// a restart and an uninstall of the daemon; and each time something shows that a cut would have been seen.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen, printRow } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  fails,
  network,
  run,
  startDaemon,
  status,
  succeeds,
  wall,
} from "../support/dockerwall.ts";
import { lookUpOnHost } from "../support/host-lookups.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { loop, type Pulse, pulseOfHost, startPulse } from "../support/pulse.ts";
import { type SecondEngine, startSecondEngine } from "../support/second-engine.ts";

const engines = chosen(bothBackends);
/** Nothing in any test allows it. */
const anywhere = "203.0.113.30";
const denied = curl(`http://${anywhere}/`);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** Where the host itself serves the machines near it. */
const servicePort = 8123;

/** A connection by a shell that has no other tools. */
const opens = (address: string, port: number): string => `bash -c 'exec 3<>/dev/tcp/${address}/${port}'`;

/** The daemon's life, with a look at what goes on after each of its turns. */
async function liveThrough(engine: Engine, looks: (phase: string) => Promise<void>): Promise<void> {
  await deploy(engine);
  await looks("started");
  await run(engine, "update", "--restart=no", "dockerwall");
  await run(engine, "kill", "-s", "KILL", "dockerwall");
  await looks("dead");
  await run(engine, "start", "dockerwall");
  await enforcing(engine);
  await looks("back");
  await run(engine, "restart", "dockerwall");
  await enforcing(engine);
  await looks("restarted");
  await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
  await looks("uninstalled");
  await run(engine, "rm", "-f", "dockerwall");
}

describe("beside the daemon", { concurrency: true }, () => {
  for (const { name } of engines)
    describe(name, { concurrency: 1 }, () => {
      it("another engine's networks", () => besideAnotherEngine(lab.engine(name)));
      it("the host's resolver, in a guarded container", () => resolverInContainer(lab.engine(name)));
      it("the host's own way out, on the bridge of a labelled network", () =>
        wayOutOnBridge(lab.engine(name)));
    });
});

async function besideAnotherEngine(engine: Engine): Promise<void> {
  await network(engine, "app", "www.example.com");
  await client(engine, "web", "app");
  await succeeds(engine, "web", ...denied);
  const second = await startSecondEngine(engine, lab.name);
  const sleeper = (title: string, on: string): Promise<string> =>
    second.run("run", "-d", "--name", title, "--network", on, "busybox:lab", "httpd", "-f", "-p", "80");
  const addressOf = (title: string): Promise<string> =>
    second.run("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", title);
  const insideOf = (title: string, attempt: string, patience?: number): string[] =>
    second.argv("exec", title, "sh", "-c", loop(attempt, patience));
  const reachesOut = async (title: string): Promise<boolean> =>
    (await second.attempt("exec", title, "wget", "-q", "-T", "2", "-O", "/dev/null", `http://${anywhere}/`))
      .exitCode === 0;
  await second.run("network", "create", "theirs");
  for (const title of ["one", "two"]) await sleeper(title, "theirs");
  const [one, two] = [await addressOf("one"), await addressOf("two")];
  const pulses: readonly Pulse[] = await Promise.all([
    startPulse(engine, "second-out", insideOf("one", `wget -q -O /dev/null http://${anywhere}/`)),
    startPulse(engine, "second-lookup", insideOf("one", "nslookup -type=a www.example.org", 15)),
    startPulse(engine, "second-neighbour", insideOf("one", `ping -c 1 -W 5 ${two}`)),
    pulseOfHost(engine, "second-host", opens(one, 80)),
  ]);
  await liveThrough(engine, async (phase) => {
    for (const pulse of pulses) await pulse.goesOn();
    if (phase === "uninstalled") await succeeds(engine, "web", ...denied);
    else await fails(engine, "web", ...denied);
    // One that comes now: held for a while, or until a daemon is back; and so the pulses would have seen a cut.
    if (phase === "started" || phase === "dead") {
      await second.run("network", "create", phase);
      await sleeper(phase, phase);
      const from = performance.now();
      if (phase === "dead") assert.equal(await reachesOut(phase), false, "a bridge that comes now is held");
      else {
        await until("the new one to be let go", 30_000, async () =>
          (await reachesOut(phase)) ? true : undefined,
        );
        printRow(
          engine.name,
          "another engine's new network",
          `let go after ${Math.round(performance.now() - from)} ms`,
        );
      }
    }
    if (phase === "back") {
      await until("what was held to be let go", 30_000, async () =>
        (await reachesOut("dead")) ? true : undefined,
      );
      await until("status to hold nothing", 10_000, async () =>
        (await status(engine)).held.length === 0 ? true : undefined,
      );
    }
  });
  for (const pulse of pulses) {
    await pulse.stop();
    printRow(engine.name, pulse.title, `${pulse.beats()} attempts`, `${pulse.missed().length} failed`);
  }
  await endSecond(engine, second);
  const missed = new Map(pulses.map((pulse) => [pulse.title, pulse.missed().length]));
  // An engine's question may be lost with the daemon that dies, or refused when it cannot be told whose it is.
  assert.ok((missed.get("second-lookup") ?? 0) <= 3);
  missed.delete("second-lookup");
  assert.deepEqual([...missed.values()], [0, 0, 0]);
}

async function endSecond(engine: Engine, second: SecondEngine): Promise<void> {
  await second.stop();
  await run(engine, "rm", "-f", "web");
  await run(engine, "network", "rm", "app");
}

/** A resolver in small: each question is passed on as it is, each answer passed back. */
const forwarder = `
import socket, threading
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 53))
def pass_on(question, place):
    up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); up.settimeout(3); up.connect(("198.51.100.53", 53))
    try:
        up.send(question); s.sendto(up.recv(4096), place)
    except OSError: pass
while True: threading.Thread(target=pass_on, args=s.recvfrom(4096), daemon=True).start()
`;

/**
 * Root's lookups wait for a daemon that starts, longer than they last on a busy machine: what is judged is that each turn
 * ends with answers. On an unguarded network the host's resolver answers whatever becomes of the daemon. On a guarded one its lookups are
 * its network's, so that it has names as long as there is a daemon, and as its list allows.
 */
async function resolverInContainer(engine: Engine): Promise<void> {
  const useResolver = (address: string): Promise<unknown> =>
    engine.exec("sh", "-c", `echo "nameserver ${address}" > /etc/resolv.conf`);
  await network(engine, "served", "www.example.com");
  await client(engine, "client", "served");
  const upstream = ["--label", "dockerwall.upstream=198.51.100.53"];
  try {
    for (const [what, at, guarded] of [
      ["a published port", "127.0.0.1", false],
      ["its own address", undefined, false],
      ["a published port, guarded", "127.0.0.1", true],
    ] as const) {
      await network(engine, "dns", guarded ? "*.example.com" : undefined, ...(guarded ? upstream : []));
      const place = ["--network", "dns", "-p", "127.0.0.1:53:53/udp"];
      await run(
        engine,
        "run",
        "-d",
        "--name",
        "resolver",
        ...place,
        "client:lab",
        "python3",
        "-c",
        forwarder,
      );
      const own = await run(
        engine,
        "inspect",
        "-f",
        "{{.NetworkSettings.Networks.dns.IPAddress}}",
        "resolver",
      );
      await useResolver(at ?? own);
      const title = what.replaceAll(/\W/g, "-");
      const lookups = await lookUpOnHost(engine, title);
      await liveThrough(engine, async (phase) => {
        const failed = lookups.missed().length;
        if (guarded && phase === "dead") {
          await until("the host to have no names", 20_000, () =>
            lookups.missed().length > failed + 5 ? true : undefined,
          );
          return;
        }
        await lookups.goesOn();
        if (phase === "uninstalled") return;
        if (phase !== "dead") await succeeds(engine, "client", ...curl("http://www.example.com/"));
        await fails(engine, "client", ...denied);
      });
      await lookups.stop();
      const counts = [`${lookups.beats()} answered`, `${lookups.missed().length} failed`];
      printRow(engine.name, `the host's resolver at ${what}`, ...counts);
      await run(engine, "rm", "-f", "resolver");
      await run(engine, "network", "rm", "dns");
    }
  } finally {
    await useResolver("198.51.100.53");
  }
}

async function wayOutOnBridge(engine: Engine): Promise<void> {
  const { host, gateway } = engine.link;
  const serve = `require("node:net").createServer((peer) => peer.destroy()).listen(${servicePort})`;
  const service = engine.background(`${engine.name}-service`, [process.execPath, "-e", serve]);
  const reached = async (): Promise<boolean> =>
    (await lab.internet.exec(["timeout", "2", "bash", "-c", `exec 3<>/dev/tcp/${host}/${servicePort}`]))
      .exitCode === 0;
  const script = async (...lines: string[]): Promise<void> => {
    const { exitCode, stderr } = await engine.exec("sh", "-ec", lines.join("\n"));
    assert.equal(exitCode, 0, stderr);
  };
  const members = async (): Promise<boolean> => /,lan0/.test((await engine.exec("ipset", "save")).stdout);
  // As it is done for virtual machines: the bridge takes over the card's address and routes.
  const plugIn = (): Promise<void> =>
    script(
      "ip address flush dev eth0 scope global",
      "ip link set eth0 master lan0",
      `ip address replace ${host}/24 dev lan0`,
      `ip route replace default via ${gateway} dev lan0`,
    );
  const pullOut = (): Promise<void> =>
    script(
      `ip address del ${host}/24 dev lan0`,
      "ip link set eth0 nomaster",
      `ip address add ${host}/24 dev eth0`,
      `ip route replace default via ${gateway} dev eth0`,
    );
  await until("the host's service", 20_000, async () => ((await reached()) ? true : undefined));
  await script("ip link add lan0 up type bridge");
  await plugIn();
  const pulses = [
    await pulseOfHost(engine, "out", opens(anywhere, 80)),
    await pulseOfHost(engine, "near", opens(gateway, 80)),
  ];
  await run(
    engine,
    ...["network", "create", "-o", "com.docker.network.bridge.name=lan0", "--label", "dockerwall.allow="],
    ...["--subnet", `${host.replace(/\d+$/, "0")}/24`, "--gateway", host, "lan"],
  );
  await network(engine, "local", "www.example.com");
  await client(engine, "inner", "local");
  await startDaemon(engine);
  const stateOf = async (wanted: string): Promise<void> => {
    await until(`lan to be ${wanted}`, 60_000, async () => {
      const { stdout } = await wall(engine, "status", "--json");
      const networks =
        stdout === "" ? [] : (JSON.parse(stdout) as { networks: { name: string; state: string }[] }).networks;
      return networks.some((each) => each.name === "lan" && each.state === wanted) ? true : undefined;
    });
  };
  const assertUncut = async (phase: string): Promise<void> => {
    for (const pulse of pulses) await pulse.goesOn();
    assert.equal(await reached(), true, phase);
    assert.deepEqual(
      pulses.map((pulse) => pulse.missed()),
      [[], []],
      phase,
    );
  };
  const assertRefused = async (phase: string): Promise<void> => {
    await stateOf("refused");
    const { stdout, exitCode } = await wall(engine, "status");
    assert.match(stdout, /network "lan" cannot be guarded: its bridge lan0 has eth0 \(/, phase);
    assert.deepEqual([exitCode, await members()], [1, false], phase);
    await assertUncut(phase);
    await fails(engine, "inner", ...denied);
  };
  await assertRefused("at the start");
  await run(engine, "kill", "-s", "KILL", "dockerwall");
  await assertUncut("dead");
  await run(engine, "start", "dockerwall");
  await assertRefused("back");
  await run(engine, "restart", "dockerwall");
  await assertRefused("restarted");
  for (const pulse of pulses) await pulse.stop();
  // What would be, had it not been refused: who is next to the host on that wire cannot reach it.
  await run(engine, "kill", "-s", "KILL", "dockerwall");
  await script(`ipset add dockerwall-guarded4 ${host.replace(/\d+$/, "0")}/24,lan0`);
  assert.equal(await reached(), false);
  await script(`ipset del dockerwall-guarded4 ${host.replace(/\d+$/, "0")}/24,lan0`);
  await run(engine, "start", "dockerwall");
  await stateOf("refused");
  await pullOut();
  // A way out that is gone may come back: it is forgotten by a restart.
  await stateOf("refused");
  await run(engine, "restart", "dockerwall");
  await stateOf("enforced");
  assert.equal(await members(), true);
  await plugIn();
  const from = performance.now();
  await until("it to be let go", 10_000, async () => ((await members()) ? undefined : true));
  printRow(
    engine.name,
    "the host's card joins a guarded bridge",
    `let go after ${Math.round(performance.now() - from)} ms`,
  );
  assert.equal(await reached(), true);
  await stateOf("refused");
  await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
  process.kill(service.pid, "SIGTERM");
}
