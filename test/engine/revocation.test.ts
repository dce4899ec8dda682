// What was allowed and is not any more ends with the next packet, also in the middle of a flow; what is still
// allowed does not notice. And who inherits an address inherits nothing else.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  fails,
  inside,
  network,
  run,
  succeeds,
} from "../support/dockerwall.ts";
import type { Capture } from "../support/lab/capture.ts";
import { pause, until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
/** allowed.example.com */
const granted = "203.0.113.20";

/** Sends over one TCP connection and from one UDP socket, and writes down how often each was answered. */
const talker = (host: string): string => `
import socket, threading, time
def talk(s, kind):
    n = 0
    while True:
        try:
            s.send(b"x"); s.recv(1); n += 1
            open("/tmp/" + kind, "w").write(str(n))
        except TimeoutError: pass
        time.sleep(0.05)
t = socket.create_connection(("${host}", 9000), 5)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("${host}", 9000)); u.settimeout(0.2); t.settimeout(None)
threading.Thread(target=talk, args=(t, "tcp")).start()
talk(u, "udp")
`;

/** Sends from always the same port, so that another container can go on with the same flow. */
const samePort = (resolve: boolean): string => `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 40001))
${resolve ? 'socket.gethostbyname("allowed.example.com")' : ""}
while True:
    s.sendto(b"x", ("${granted}", 9000))
    time.sleep(0.05)
`;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("revocation", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => revokes(name));
});

function revokes(name: string): void {
  let engine: Engine;
  before(async () => {
    engine = lab.engine(name);
    await deploy(engine, "--lease-floor", "1s", "--lease-grace", "2s");
    await network(engine, "app", "www.example.com allowed.example.com *.fresh.example.com");
  });

  const python = async (container: string, program: string): Promise<void> => {
    await run(
      engine,
      "run",
      "-d",
      "--name",
      container,
      "--network",
      "app",
      "client:lab",
      "python3",
      "-c",
      program,
    );
  };
  const answered = async (container: string): Promise<{ tcp: number; udp: number }> => {
    const { stdout } = await inside(engine, container, "sh", "-c", "cat /tmp/tcp; echo; cat /tmp/udp");
    const [tcp = "", udp = ""] = stdout.split("\n");
    return { tcp: Number(tcp), udp: Number(udp) };
  };
  const goesOn = async (container: string): Promise<void> => {
    const from = await answered(container);
    await until(`${name}: both flows of ${container} to go on`, 20_000, async () => {
      const now = await answered(container);
      return now.tcp > from.tcp + 2 && now.udp > from.udp + 2 ? true : undefined;
    });
  };
  /** Its socket has sent again and again, whatever became of that. */
  const sendsMore = async (container: string): Promise<void> => {
    const sent = async (): Promise<number> =>
      Number(/^Udp: (?:\d+ ){3}(\d+)/m.exec(await succeeds(engine, container, "cat", "/proc/net/snmp"))?.[1]);
    const from = await sent();
    await until(`${name}: ${container} to send`, 10_000, async () =>
      (await sent()) >= from + 10 ? true : undefined,
    );
  };
  const wall = (...args: string[]): Promise<string> =>
    run(engine, "exec", "dockerwall", "dockerwall", ...args);
  const nothingIn = async (capture: Capture): Promise<void> => {
    await pause(400);
    assert.deepEqual(await capture.packets(), []);
  };

  it("quarantine ends open flows with the next packet, and no neighbour's", async () => {
    await python("web", talker("www.example.com"));
    await python("neighbour", talker("allowed.example.com"));
    await goesOn("web");
    await goesOn("neighbour");
    await wall("quarantine", "web");
    const capture = await lab.capture(name, "dst host 203.0.113.11");
    await nothingIn(capture);
    await goesOn("neighbour");
    assert.match(await succeeds(engine, "web", "dig", "+tries=1", "www.example.com"), /status: NXDOMAIN/);
    await run(engine, "restart", "-t", "1", "dockerwall");
    await enforcing(engine);
    assert.match(await succeeds(engine, "web", "dig", "+tries=1", "www.example.com"), /status: NXDOMAIN/);
    await nothingIn(capture);
    await goesOn("neighbour");
    await wall("release", "web");
    // What it held is gone with its flows; it looks up and connects anew.
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    await capture.stop();
    await run(engine, "rm", "-f", "web", "neighbour");
  });

  it("an idle flow outlives the lease that opened it", async () => {
    const idle = `
import socket, time, urllib.request
s = socket.create_connection(("idle.fresh.example.com", 9000), 5)
while True:
    try: socket.create_connection(("203.0.113.18", 9000), 0.5).close()
    except TimeoutError: break
    time.sleep(1)
s.settimeout(5); s.send(b"x"); assert s.recv(1) == b"x"; print("alive")
`;
    await client(engine, "idle", "app");
    assert.equal((await succeeds(engine, "idle", "timeout", "60", "python3", "-c", idle)).trim(), "alive");
    await run(engine, "rm", "-f", "idle");
  });

  const format = "{{.NetworkSettings.Networks.app.IPAddress}}";
  for (const away of [false, true]) {
    it(`who gets an address gets no flow and no grant of who had it${away ? ", while the daemon is away" : ""}`, async () => {
      await python("first", samePort(true));
      const before = await lab.capture(name, `dst host ${granted}`);
      await until("the first one's flow", 10_000, async () =>
        (await before.packets()).length > 5 ? true : undefined,
      );
      await before.stop();
      const address = await run(engine, "inspect", "-f", format, "first");
      if (away) await run(engine, "stop", "-t", "1", "dockerwall");
      await run(engine, "rm", "-f", "first");
      const capture = await lab.capture(name, `dst host ${granted}`);
      await python("second", samePort(false));
      assert.equal(await run(engine, "inspect", "-f", format, "second"), address);
      if (away) {
        await sendsMore("second");
        assert.equal((await capture.packets()).length, 0, "while away");
        await run(engine, "start", "dockerwall");
        await enforcing(engine);
      }
      await sendsMore("second");
      assert.equal((await capture.stop()).length, 0);
      await run(engine, "rm", "-f", "second");
    });
  }

  it("a service that is made anew with a narrower label has lost what it had", async () => {
    const label = ["--label", "dockerwall.allow=v4only.example.com"];
    await client(engine, "svc", "app", ...label);
    await succeeds(engine, "svc", ...curl("http://v4only.example.com/"));
    await run(engine, "rm", "-f", "svc");
    await client(engine, "svc", "app");
    const capture = await lab.capture(name, "dst host 203.0.113.13");
    await fails(engine, "svc", ...curl("http://v4only.example.com/"));
    await fails(engine, "svc", ...curl("--max-time", "1", "http://203.0.113.13/"));
    assert.deepEqual(await capture.stop(), []);
    await run(engine, "rm", "-f", "svc");
  });
}
