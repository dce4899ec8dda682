// The main job on real engines of three generations, both iptables backends: what is allowed works, what is not
// does not leave the host, and whatever was not asked to be guarded is untouched. Leaks are judged on the wire.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  client,
  curl,
  deploy,
  fails,
  inside,
  lookups,
  network,
  rights,
  run,
  stats,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = [
  { kind: "e20" },
  { kind: "e26" },
  { kind: "e28" },
  { kind: "e28", name: "e28l", iptables: "legacy" },
] as const;

const denied = "203.0.113.30";
const allowedLabel = "*.example.com api.github.com:443 198.51.100.21:80/tcp";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

const names = engines.map((given) => ("name" in given ? given.name : given.kind));

// Side by side: most of the time is waiting for what must not come.
describe("the main job", { concurrency: true }, () => {
  for (const name of names) describe(name, { concurrency: 1 }, () => mainJob(name));
});

function mainJob(name: string): void {
  before(async () => {
    const engine = lab.engine(name);
    await network(engine, "plain");
    await client(engine, "before", "plain");
    await deploy(engine);
    await network(engine, "app", allowedLabel);
    await client(engine, "web", "app");
    await client(engine, "neighbour", "app");
  });

  it("reaches an allowed name", async () => {
    await succeeds(lab.engine(name), "web", ...curl("http://www.example.com/"));
    await succeeds(lab.engine(name), "web", ...curl("https://www.example.com/"));
  });

  it("reaches an allowed name on a port that nobody uses by default", async () => {
    const engine = lab.engine(name);
    await succeeds(engine, "web", ...curl("http://www.example.com:8080/"));
    const echo =
      'import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.sendto(b"x", ("www.example.com", 9000)); assert s.recv(9) == b"x"';
    await succeeds(engine, "web", "python3", "-c", echo);
    await succeeds(engine, "web", "ping", "-c", "1", "-W", "3", "www.example.com");
  });

  it("opens only the port that the entry names", async () => {
    const engine = lab.engine(name);
    const capture = await lab.capture(name, "dst host 198.51.100.15 and dst port 80");
    await succeeds(engine, "web", ...curl("https://api.github.com/"));
    await fails(engine, "web", ...curl("--max-time", "1", "http://api.github.com/"));
    assert.deepEqual(await capture.stop(), []);
  });

  it("reaches an allowed address with no lookup", async () => {
    await succeeds(lab.engine(name), "web", ...curl("http://198.51.100.21/"));
    await fails(lab.engine(name), "web", ...curl("--max-time", "1", "-k", "https://198.51.100.21/"));
  });

  it("denies a name, here, and says why", async () => {
    const engine = lab.engine(name);
    const secret = `secret-${name}.example.org`;
    const answer = await succeeds(engine, "web", "dig", secret);
    assert.match(answer, /status: NXDOMAIN/);
    assert.match(answer, /EDE: 15 .*not in dockerwall.allow of app/);
    await succeeds(engine, "web", "dig", "+tcp", secret);
    await fails(engine, "web", ...curl(`http://${secret}/`));
    await inside(engine, "web", "dig", "+time=1", "+tries=1", "@203.0.113.66", secret);
    await inside(engine, "web", "dig", "+time=1", "+tries=1", "-p", "5353", "@203.0.113.66", secret);
    const leaked = (await lab.internet.queries()).filter((query) => query.name === secret);
    assert.deepEqual(leaked, []);
    assert.ok((await lookups(engine, "app", secret)).denied >= 3);
  });

  it("drops what was not granted, of every protocol", async () => {
    const engine = lab.engine(name);
    const capture = await lab.capture(name, `dst host ${denied}`);
    await fails(engine, "web", ...curl("--max-time", "1", `http://${denied}/`));
    await fails(engine, "web", "ping", "-c", "1", "-W", "1", denied);
    await inside(engine, "web", "sh", "-c", `echo x | nc -u -w 1 ${denied} 9000`);
    assert.deepEqual(await capture.stop(), []);
    const drops = (await stats(engine)).networks.find((entry) => entry.network === "app")?.drops ?? [];
    const row = drops.find((drop) => drop.destination === denied && drop.service === "tcp:80");
    assert.equal(row?.container, "web");
    assert.ok((row?.packets ?? 0) > 0);
  });

  it("opens the asker's door only", async () => {
    const engine = lab.engine(name);
    const capture = await lab.capture(name, "dst host 203.0.113.20");
    await fails(engine, "neighbour", ...curl("--max-time", "1", "http://203.0.113.20/"));
    assert.deepEqual(await capture.stop(), []);
    await succeeds(engine, "web", ...curl("http://allowed.example.com/"));
    const again = await lab.capture(name, "dst host 203.0.113.20");
    await fails(engine, "neighbour", ...curl("--max-time", "1", "http://203.0.113.20/"));
    assert.deepEqual(await again.stop(), []);
    await succeeds(engine, "neighbour", ...curl("http://allowed.example.com/"));
  });

  it("refuses answers that point inside", async () => {
    const engine = lab.engine(name);
    for (const host of ["private10", "metadata", "loopback", "cgnat"]) {
      assert.equal(await succeeds(engine, "web", "dig", "+short", `${host}.example.com`), "", host);
    }
    assert.equal(
      (await succeeds(engine, "web", "dig", "+short", "mixed.example.com")).trim(),
      "203.0.113.27",
    );
  });

  it("keeps the host closed", async () => {
    const engine = lab.engine(name);
    const gateway = await run(
      engine,
      "network",
      "inspect",
      "-f",
      "{{(index .IPAM.Config 0).Gateway}}",
      "app",
    );
    const server =
      'import http.server as h; h.HTTPServer(("0.0.0.0", 8099), h.SimpleHTTPRequestHandler).serve_forever()';
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "on-host",
      "--network",
      "host",
      "client:lab",
      "python3",
      "-c",
      server,
    );
    const plainGateway = await run(
      engine,
      "network",
      "inspect",
      "-f",
      "{{(index .IPAM.Config 0).Gateway}}",
      "plain",
    );
    await succeeds(
      engine,
      "before",
      ...curl("--retry", "5", "--retry-connrefused", `http://${plainGateway}:8099/`),
    );
    for (const address of [gateway, plainGateway, engine.link.host]) {
      await fails(engine, "web", ...curl("--max-time", "1", `http://${address}:8099/`));
    }
    await run(engine, "rm", "-f", "on-host");
  });

  it("resolves the names of its neighbours", async () => {
    const engine = lab.engine(name);
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "db",
      "--network",
      "app",
      "--network-alias",
      "store",
      "client:lab",
      "python3",
      "-m",
      "http.server",
      "8000",
    );
    for (const host of ["db", "store", "db.app"]) {
      await succeeds(engine, "web", ...curl("--retry", "5", "--retry-connrefused", `http://${host}:8000/`));
    }
    const address = (await succeeds(engine, "web", "dig", "+short", "db")).trim();
    assert.match(await succeeds(engine, "web", "dig", "+short", "-x", address), /^db\.app\.$/m);
  });

  it("answers on published ports", async () => {
    const engine = lab.engine(name);
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "published",
      "--network",
      "app",
      "-p",
      "8088:8000",
      "client:lab",
      "python3",
      "-m",
      "http.server",
      "8000",
    );
    const request = `exec 3<>/dev/tcp/${engine.link.host}/8088 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3`;
    const answer = await until("an answer from the published port", 10_000, async () => {
      const { stdout } = await lab.internet.exec(["timeout", "3", "bash", "-c", request]);
      return stdout === "" ? undefined : stdout;
    });
    assert.match(answer, /^HTTP\/1\.0 200/);
  });

  it("leaves unguarded networks alone, old and new", async () => {
    const engine = lab.engine(name);
    await network(engine, "later");
    await client(engine, "after", "later");
    for (const container of ["before", "after"]) {
      await succeeds(engine, container, ...curl(`http://${denied}/`));
      await succeeds(engine, container, ...curl("http://www.example.org/"));
      await succeeds(engine, container, ...curl("http://www.example.com/"));
    }
    await run(
      engine,
      "run",
      "--rm",
      "busybox:lab",
      "wget",
      "-q",
      "-O",
      "/dev/null",
      "http://www.example.net/",
    );
  });

  it("tells it all in stats and status", async () => {
    const engine = lab.engine(name);
    const text = await run(engine, "exec", "dockerwall", "stats");
    assert.match(text, /^Network: app \(198\.19\.\d+\.0\/24\)$/m);
    assert.match(text, /web\s+www\.example\.com\s+\d+ ✅/);
    assert.match(text, /web\s+secret-\w+\.example\.org\s+\d+ ❌/);
    const report = await status(engine);
    assert.equal(report.state, "enforcing");
    const doctor = await run(engine, "exec", "dockerwall", "dockerwall", "doctor");
    assert.match(doctor, /✅ capture of web: a denied name asked inside it is denied by us/);
    assert.match(doctor, /✅ rules: /);
    assert.equal(report.backend, name === "e28l" ? "legacy" : "nft");
    assert.deepEqual(
      report.networks.map((entry) => [entry.name, entry.state]),
      [["app", "enforced"]],
    );
  });

  it("prepares a network and hands it out enforced", async () => {
    const engine = lab.engine(name);
    await run(engine, "exec", "dockerwall", "dockerwall", "prepare-network", "prepared", "*.example.com");
    const twice = await engine.docker(
      "exec",
      "dockerwall",
      "dockerwall",
      "prepare-network",
      "prepared",
      "*.example.com",
    );
    assert.equal(twice.exitCode, 73);
    assert.match(twice.stderr, /^dockerwall: network "prepared" exists already/);
    const bad = await engine.docker("exec", "dockerwall", "dockerwall", "prepare-network", "other", "*");
    assert.equal(bad.exitCode, 65);
    await run(
      engine,
      "run",
      "--rm",
      "--network",
      "prepared",
      "busybox:lab",
      "wget",
      "-q",
      "-O",
      "/dev/null",
      "http://www.example.com/",
    );
  });

  it("uninstalls without a trace", async () => {
    const engine = lab.engine(name);
    await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
    for (const tool of [
      "iptables-nft-save",
      "ip6tables-nft-save",
      "iptables-legacy-save",
      "ip6tables-legacy-save",
      "ipset save",
    ]) {
      const shell = ["--entrypoint", "sh", "dockerwall:lab", "-c", tool];
      const saved = await run(engine, "run", "--rm", ...rights, "--network", "host", ...shell);
      assert.doesNotMatch(saved, /dockerwall/i, tool);
    }
    await succeeds(engine, "web", ...curl(`http://${denied}/`));
    await succeeds(engine, "web", ...curl("http://www.example.org/"));
  });
}
