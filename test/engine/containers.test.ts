// What is particular about single containers: labels of their own, a second network, an inherited address.

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
  lookups,
  network,
  run,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const denied = "203.0.113.30";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("containers", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => particulars(name));
});

function particulars(name: string): void {
  before(async () => {
    const engine = lab.engine(name);
    await deploy(engine);
    await network(engine, "app", "www.example.com");
    await network(engine, "plain");
    await client(engine, "web", "app");
  });

  it("a label of a container adds to its network's list, for it only, from its first instruction", async () => {
    const engine = lab.engine(name);
    const label = ["--label", "dockerwall.allow=v4only.example.com:80"];
    const fetch = ["busybox:lab", "wget", "-T", "3", "-q", "-O", "/dev/null", "http://v4only.example.com/"];
    for (let index = 0; index < 5; index++)
      await run(engine, "run", "--rm", "--network", "app", ...label, ...fetch);
    await fails(engine, "web", ...curl("http://v4only.example.com/"));
    assert.ok((await lookups(engine, "app", "v4only.example.com")).denied > 0);
  });

  it("ipset list shows what is granted to whom, and by which name", async () => {
    const engine = lab.engine(name);
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    const asker = await run(engine, "inspect", "-f", "{{.NetworkSettings.Networks.app.IPAddress}}", "web");
    const { stdout } = await engine.exec("ipset", "list", "dockerwall-grant4");
    const line = new RegExp(
      `^203\\.0\\.113\\.11,tcp:80,${asker.replaceAll(".", "\\.")} timeout \\d+ packets [1-9]\\d* .* comment "www\\.example\\.com"$`,
      "m",
    );
    assert.match(stdout, line);
    const owner = await engine.exec("ipset", "list", "dockerwall-guarded4");
    assert.match(owner.stdout, /^198\.19\.\d+\.0\/24,br-[0-9a-f]{12} comment "app"$/m);
  });

  it("a bad label of a container leaves it with its network's list and is a problem", async () => {
    const engine = lab.engine(name);
    await client(engine, "bad", "app", "--label", "dockerwall.allow=*");
    await succeeds(engine, "bad", ...curl("http://www.example.com/"));
    const { problems } = await status(engine);
    assert.match(problems.join("\n"), /container "bad", label dockerwall\.allow: entry "\*" at column 1/);
    await run(engine, "rm", "-f", "bad");
  });

  it("a label of a container on no guarded network is reported", async () => {
    const engine = lab.engine(name);
    await client(engine, "lost", "plain", "--label", "dockerwall.allow=www.example.com");
    // Before it has been read nobody knows which networks it is on.
    await until("the problem", 5_000, async () =>
      /container "lost", .* NOT contained; label a network/.test((await status(engine)).problems.join("\n"))
        ? true
        : undefined,
    );
    await run(engine, "rm", "-f", "lost");
  });

  it("a second network that is not guarded opens nothing", async () => {
    const engine = lab.engine(name);
    await client(engine, "both", "app");
    await run(engine, "network", "connect", "plain", "both");
    await until("the warning", 5_000, async () =>
      (await status(engine)).warnings.some((warning) => warning.includes('"both" is also on network "plain"'))
        ? true
        : undefined,
    );
    const capture = await lab.capture(name, `dst host ${denied}`);
    for (const device of ["eth0", "eth1"]) {
      await fails(engine, "both", ...curl("--max-time", "1", "--interface", device, `http://${denied}/`));
    }
    await fails(engine, "both", ...curl("--max-time", "1", `http://${denied}/`));
    assert.deepEqual(await capture.stop(), []);
    await succeeds(engine, "both", ...curl("http://www.example.com/"));
    const leaked = `both-${name}.example.org`;
    assert.match(await succeeds(engine, "both", "dig", leaked), /status: NXDOMAIN/);
    assert.deepEqual(
      (await lab.internet.queries()).filter((query) => query.name === leaked),
      [],
    );
    await run(engine, "network", "disconnect", "app", "both");
    await until("the container to be free", 5_000, async () => {
      const { exitCode } = await inside(engine, "both", ...curl("--max-time", "1", `http://${denied}/`));
      return exitCode === 0 ? true : undefined;
    });
    await run(engine, "rm", "-f", "both");
  });

  it("an unguarded container that is connected to a guarded network is guarded from then on", async () => {
    const engine = lab.engine(name);
    await client(engine, "joiner", "plain");
    await succeeds(engine, "joiner", ...curl(`http://${denied}/`));
    await run(engine, "network", "connect", "app", "joiner");
    await until("the container to be guarded", 5_000, async () => {
      const { exitCode } = await inside(engine, "joiner", ...curl("--max-time", "1", `http://${denied}/`));
      return exitCode === 0 ? undefined : true;
    });
    const leaked = `joiner-${name}.example.org`;
    assert.match(await succeeds(engine, "joiner", "dig", leaked), /status: NXDOMAIN/);
    assert.deepEqual(
      (await lab.internet.queries()).filter((query) => query.name === leaked),
      [],
    );
    await run(engine, "rm", "-f", "joiner");
  });

  it("who gets an address that another had gets none of its grants", async () => {
    const engine = lab.engine(name);
    await client(engine, "first", "app");
    await succeeds(engine, "first", ...curl("http://www.example.com/"));
    const format = "{{.NetworkSettings.Networks.app.IPAddress}}";
    const address = await run(engine, "inspect", "-f", format, "first");
    await run(engine, "rm", "-f", "first");
    await client(engine, "second", "app");
    assert.equal(await run(engine, "inspect", "-f", format, "second"), address);
    const capture = await lab.capture(name, "dst host 203.0.113.11");
    await fails(engine, "second", ...curl("--max-time", "1", "http://203.0.113.11/"));
    assert.deepEqual(await capture.stop(), []);
  });

  it("nor across a time without a daemon", async () => {
    const engine = lab.engine(name);
    const format = "{{.NetworkSettings.Networks.app.IPAddress}}";
    await client(engine, "third", "app");
    await succeeds(engine, "third", ...curl("http://www.example.com/"));
    const address = await run(engine, "inspect", "-f", format, "third");
    await run(engine, "stop", "-t", "1", "dockerwall");
    await run(engine, "rm", "-f", "third");
    await client(engine, "fourth", "app");
    assert.equal(await run(engine, "inspect", "-f", format, "fourth"), address);
    await run(engine, "start", "dockerwall");
    await enforcing(engine);
    await fails(engine, "fourth", ...curl("--max-time", "1", "http://203.0.113.11/"));
    await succeeds(engine, "fourth", ...curl("http://www.example.com/"));
    await run(engine, "restart", "-t", "1", "dockerwall");
    await enforcing(engine);
    await succeeds(engine, "fourth", ...curl("http://203.0.113.11/"));
  });

  it("a host entry opens that port of the host, and no other", async () => {
    const engine = lab.engine(name);
    const server = (port: number): string[] => ["python3", "-m", "http.server", `${port}`];
    for (const port of [8097, 8098]) {
      await run(
        engine,
        "run",
        "-d",
        "--name",
        `host-${port}`,
        "--network",
        "host",
        "client:lab",
        ...server(port),
      );
    }
    await network(engine, "local", "host:8097/tcp");
    await client(engine, "caller", "local");
    const address = engine.link.host;
    await succeeds(
      engine,
      "caller",
      ...curl("--retry", "5", "--retry-connrefused", `http://${address}:8097/`),
    );
    await fails(engine, "caller", ...curl("--max-time", "1", `http://${address}:8098/`));
    await fails(engine, "web", ...curl("--max-time", "1", `http://${address}:8097/`));
  });

  it("quarantine cuts what is open and denies every name, until the release", async () => {
    const engine = lab.engine(name);
    const dockerwall = ["exec", "dockerwall", "dockerwall"];
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    await run(engine, ...dockerwall, "quarantine", "web");
    await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.11/"));
    assert.match(await succeeds(engine, "web", "dig", "www.example.com"), /status: NXDOMAIN/);
    await run(engine, ...dockerwall, "release", "web");
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    const again = await engine.docker(...dockerwall, "release", "web");
    assert.equal(again.exitCode, 66);
  });

  it("a container that was restarted works and stays guarded", async () => {
    const engine = lab.engine(name);
    await run(engine, "restart", "-t", "0", "web");
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    await fails(engine, "web", ...curl("--max-time", "1", `http://${denied}/`));
  });
}
