// Quarantine follows its container, not its address: over stops and starts with another address, and while the daemon
// is started anew in between, nothing of it is on the wire from its first packet on, by TCP and UDP, IPv4 and IPv6.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../support/chosen.ts";
import { client, curl, deploy, enforcing, network, run, succeeds } from "../support/dockerwall.ts";
import type { Capture } from "../support/lab/capture.ts";
import { pause, until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const rounds = long ? 20 : 3;
const destinations = ["203.0.113.20", "2001:db8:1::14"] as const;

/** From its first instruction: a datagram and a connection attempt to each destination, on and on, and a lookup. */
const sender = `
import socket, threading, time
def udp(family, to):
    while True:
        try: s = socket.socket(family, socket.SOCK_DGRAM); s.connect((to, 9000))
        except OSError: continue
        for _ in range(500):
            try: s.send(b"x")
            except OSError: pass
            time.sleep(0.001)
def tcp(family, to):
    while True:
        s = socket.socket(family); s.setblocking(False); s.connect_ex((to, 9000))
        time.sleep(0.02); s.close()
def ask():
    while True:
        try: socket.gethostbyname("quarantine.example.com")
        except OSError: pass
        time.sleep(0.05)
for family, to in (socket.AF_INET, "${destinations[0]}"), (socket.AF_INET6, "${destinations[1]}"):
    for work in udp, tcp: threading.Thread(target=work, args=(family, to)).start()
ask()
`;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("quarantine", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => follows(name));
});

function follows(name: string): void {
  let engine: Engine;
  let capture: Capture;
  let seen = 0;
  const wall = (...args: string[]): Promise<string> =>
    run(engine, "exec", "dockerwall", "dockerwall", ...args);
  /** Protocol and destination of what was seen since the last call. */
  const kinds = async (): Promise<readonly string[]> => {
    const all = await capture.packets();
    const fresh = all.slice(seen);
    seen = all.length;
    return [...new Set(fresh.map(({ proto, dst }) => `${proto} ${dst}`))].sort();
  };
  const addresses = async (): Promise<string> =>
    run(
      engine,
      "inspect",
      "-f",
      "{{.NetworkSettings.Networks.app.IPAddress}} {{.NetworkSettings.Networks.app.GlobalIPv6Address}}",
      "web",
    );
  const everything = destinations.flatMap((to) => [`tcp ${to}`, `udp ${to}`]).sort();
  const lookups = async (): Promise<number> =>
    (await lab.internet.queries()).filter(
      (query) => query.name === "quarantine.example.com" && query.from === engine.link.host,
    ).length;

  /** Starts it again while another container holds the address that it had. */
  async function startsElsewhere(between: () => Promise<unknown> = async () => undefined): Promise<void> {
    const was = await addresses();
    await run(engine, "stop", "-t", "0", "web");
    const [v4 = "", v6 = ""] = was.split(" ");
    await client(engine, "squatter", "app", "--ip", v4, "--ip6", v6);
    await between();
    await run(engine, "start", "web");
    assert.notEqual(await addresses(), was);
    await pause(500);
    await run(engine, "rm", "-f", "squatter");
  }

  const freshSubnets = (): string[] => {
    const v6 = engine.link.prefix6.replace(/00::.*$/, "08::");
    return ["--ipv6", "--subnet", "198.19.78.0/24", "--subnet", `${v6}/64`];
  };

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine);
    const v6 = engine.link.prefix6.replace(/00::.*$/, "07::");
    const subnets = ["--ipv6", "--subnet", "198.19.77.0/24", "--subnet", `${v6}/64`];
    await network(engine, "app", `${destinations.join(" ")} *.example.com`, ...subnets);
    await client(engine, "free", "app");
    capture = await lab.capture(name, destinations.map((to) => `dst host ${to}`).join(" or "));
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "web",
      "--network",
      "app",
      "client:lab",
      "python3",
      "-c",
      sender,
    );
  });

  it("everything passes before it", async () => {
    const all = new Set<string>();
    await until(`${name}: every kind of packet, got ${[...all]}`, 20_000, async () => {
      for (const kind of await kinds()) all.add(kind);
      return everything.every((kind) => all.has(kind)) && (await lookups()) > 0 ? true : undefined;
    });
  });

  it("nothing passes over starts with another address", async () => {
    await wall("quarantine", "web");
    await kinds();
    await lab.internet.forgetQueries();
    for (let round = 0; round < rounds; round++) await startsElsewhere();
    const past = await kinds();
    printRow(name, `${rounds} starts with another address`, past.join(", ") || "nothing");
    assert.deepEqual([past, await lookups()], [[], 0]);
  });

  // Each may be the one in quarantine until the engine has told of it, and so may each new interface be anything.
  it("others start, and join networks that have just been made, as without it", async () => {
    for (let round = 0; round < rounds * 2; round++) {
      await client(engine, "other", "app");
      await network(engine, "fresh", round % 2 === 0 ? "www.example.com" : undefined, ...freshSubnets());
      await run(engine, "network", "connect", "fresh", "other");
      await run(engine, "rm", "-f", "other");
      await run(engine, "network", "rm", "fresh");
    }
  });

  it("nothing passes over restarts", async () => {
    for (let round = 0; round < rounds; round++) await run(engine, "restart", "-t", "0", "web");
    await pause(500);
    assert.deepEqual([await kinds(), await lookups()], [[], 0]);
  });

  it("nothing passes while the daemon is started anew", async () => {
    await run(engine, "restart", "-t", "1", "dockerwall");
    await enforcing(engine);
    await pause(500);
    assert.deepEqual([await kinds(), await lookups()], [[], 0]);
  });

  it("a daemon that is started while it is away remembers it", async () => {
    await startsElsewhere(async () => {
      await run(engine, "restart", "-t", "1", "dockerwall");
      await enforcing(engine);
    });
    assert.deepEqual([await kinds(), await lookups()], [[], 0]);
  });

  it("while it is away, another one that starts is let go as soon as the engine has told of it", async () => {
    await run(engine, "stop", "-t", "0", "web");
    const startedAt = performance.now();
    await client(engine, "other", "app");
    await succeeds(engine, "other", ...curl("--retry", "5", "--retry-all-errors", "http://www.example.com/"));
    printRow(name, "another one", `connected after ${Math.round(performance.now() - startedAt)} ms`);
    await run(engine, "start", "web");
    await pause(500);
    assert.deepEqual(await kinds(), []);
    await succeeds(engine, "free", ...curl("http://www.example.com/"));
  });

  it("everything passes again after release, and over a restart", async () => {
    await wall("release", "web");
    await run(engine, "restart", "-t", "0", "web");
    const all = new Set<string>();
    await until(`${name}: every kind of packet`, 20_000, async () => {
      for (const kind of await kinds()) all.add(kind);
      return everything.every((kind) => all.has(kind)) ? true : undefined;
    });
    const { stdout } = await engine.exec(
      "sh",
      "-c",
      "ipset list dockerwall-quarantine4; ipset list dockerwall-quarantine6",
    );
    assert.doesNotMatch(stdout, / comment "/);
  });

  it("ends with its container: a new one of its name is let go, and named until that is said to be meant", async () => {
    const warned = async (): Promise<boolean> =>
      /container \\"web\\" is NOT in quarantine/.test(await wall("status", "--json"));
    await wall("quarantine", "web");
    await run(engine, "rm", "-f", "web");
    await client(engine, "web", "app");
    await succeeds(engine, "web", ...curl("--retry", "5", "--retry-all-errors", "http://www.example.com/"));
    await until("the warning", 40_000, async () => ((await warned()) ? true : undefined));
    assert.match(await run(engine, "logs", "dockerwall"), /quarantine ended, the container is gone/);
    await wall("release", "web");
    assert.equal(await warned(), false);
  });
}
