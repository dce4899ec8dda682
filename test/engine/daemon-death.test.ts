// SIGKILL in the middle of traffic: open flows go on, nothing new opens, unguarded containers do not notice; when
// the daemon is back everything works within seconds, and no rule stands twice.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen } from "../support/chosen.ts";
import { client, curl, deploy, fails, inside, network, run, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { talk, talksOn } from "../support/talker.ts";

/** After the command that starts the daemon, on a machine that does other things too (docs/measurements.md). */
const backWithinMs = 5_000;

/**
 * Begins a connection to each of its arguments every 100 ms until one succeeds, then says `TARGET MILLISECONDS`. Each
 * is a client of its own: one that asked a moment too early waits for its timeout.
 */
const prober = `
import socket, sys, threading, time
done = {}
def connect(target):
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), 0.5).close()
        done.setdefault(target, time.time() * 1000)
    except OSError: pass
deadline = time.time() + 20
while len(done) < len(sys.argv[1:]) and time.time() < deadline:
    for target in sys.argv[1:]:
        if target not in done: threading.Thread(target=connect, args=(target,), daemon=True).start()
    time.sleep(0.1)
    open("/tmp/probing", "w")
for target, at in done.items(): print(target, round(at))
`;
/** A fresh name, another port of a name that was granted on every port, a service of Docker's. */
const interrupted = ["allowed.example.com:80", "203.0.113.11:8080", "db:8000"];

const engines = chosen(bothBackends);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

for (const { name } of engines) {
  describe(name, () => {
    before(async () => {
      const engine = lab.engine(name);
      await deploy(engine);
      await network(engine, "app", "*.example.com");
      await network(engine, "plain");
      await client(engine, "web", "app");
      await client(engine, "free", "plain");
      const server = ["client:lab", "python3", "-m", "http.server", "8000"];
      await run(engine, "run", "-d", "--name", "db", "--network", "app", "-p", "8088:8000", ...server);
    });

    it("keeps open flows and opens nothing while the daemon is dead", async () => {
      const engine = lab.engine(name);
      await talk(engine, "web");
      await run(engine, "update", "--restart=no", "dockerwall");
      await run(engine, "kill", "-s", "KILL", "dockerwall");
      await talksOn(engine, "web");
      // The talker's lookup granted 203.0.113.11 on every port; who would open another one is dead.
      const closed =
        "dst host 203.0.113.20 or dst host 203.0.113.30 or (dst host 203.0.113.11 and dst port 8080)";
      const capture = await lab.capture(name, closed);
      await lab.internet.forgetQueries();
      await fails(engine, "web", ...curl("http://allowed.example.com/"));
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.11:8080/"));
      assert.deepEqual(await capture.stop(), []);
      const leaked = (await lab.internet.queries()).filter((query) => query.name === "allowed.example.com");
      assert.deepEqual(leaked, []);
      await succeeds(engine, "free", ...curl("http://www.example.org/"));
      await run(
        engine,
        "run",
        "--rm",
        "--network",
        "plain",
        "busybox:lab",
        "wget",
        "-q",
        "-O",
        "/dev/null",
        "http://www.example.org/",
      );
    });

    it(`works again within ${backWithinMs} ms of the start, and no rule is doubled`, async (t) => {
      const engine = lab.engine(name);
      const rules = await ownRules();
      const probing = succeeds(engine, "web", "python3", "-c", prober, ...interrupted);
      await until("the probes to begin", 5_000, async () =>
        (await inside(engine, "web", "test", "-e", "/tmp/probing")).exitCode === 0 ? true : undefined,
      );
      // Containers have this machine's clock.
      const startedAt = Date.now();
      const sinceStart = async (what: string, works: Promise<unknown>): Promise<[string, number]> => {
        await works;
        return [what, Date.now() - startedAt];
      };
      const [, unguarded, published, probed] = await Promise.all([
        run(engine, "start", "dockerwall"),
        sinceStart("unguarded network", succeeds(engine, "free", ...curl("http://www.example.org/"))),
        sinceStart("published port", answersFromOutside()),
        probing,
      ]);
      const opened = [...probed.matchAll(/^(\S+) (\d+)$/gm)].map(([, what = "", at]): [string, number] => [
        what,
        Number(at) - startedAt,
      ]);
      const times = [...opened, unguarded, published];
      const text = times.map(([what, ms]) => `${what} ${ms} ms`).join(", ");
      t.diagnostic(`${name}: after the start ${text}`);
      assert.equal(opened.length, interrupted.length);
      assert.ok(Math.min(...opened.map(([, ms]) => ms)) > 0, `opened while the daemon was dead: ${text}`);
      assert.ok(Math.max(...times.map(([, ms]) => ms)) < backWithinMs, text);
      await talksOn(engine, "web");
      assert.equal(await ownRules(), rules);
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
    });

    async function answersFromOutside(): Promise<void> {
      const open = `exec 3<>/dev/tcp/${lab.engine(name).link.host}/8088 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3`;
      const request = ["timeout", "3", "bash", "-c", `${open} && head -n 1 <&3`];
      assert.match((await lab.internet.exec(request)).stdout, /^HTTP\/1\.0 200/);
    }

    async function ownRules(): Promise<string> {
      const { stdout } = await lab.engine(name).exec("sh", "-c", "iptables-save; ip6tables-save");
      return stdout
        .split("\n")
        .filter((line) => line.includes("DOCKERWALL-"))
        .sort()
        .join("\n");
    }
  });
}
