// The main job on real engines of three generations, both iptables backends: what is allowed works, what is not
// does not leave the host, and whatever was not asked to be guarded is untouched. Leaks are judged on the wire.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  client,
  curl,
  fails,
  inside,
  lookups,
  network,
  run,
  stats,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { type Example, startExample } from "../support/example.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { preparesNetwork, uninstalls } from "./main-job/commands.ts";
import { callByServiceName, playExample } from "./main-job/compose.ts";
import { answersOnPublishedPorts, keepsHostClosed, resolvesNeighbours } from "./main-job/inward.ts";
import { guardsIpv6 } from "./main-job/ipv6.ts";

/** Its host has a loopback stub for a resolver: the engine asks it from the host's own namespace. */
const stubbed = "e26";
const engines = [
  { kind: "e20" },
  { kind: stubbed, resolver: "stub" },
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
  let example: Example;
  before(async () => {
    const engine = lab.engine(name);
    await network(engine, "plain");
    await client(engine, "before", "plain");
    example = await startExample(engine);
    await network(engine, "app", allowedLabel);
    await client(engine, "web", "app");
    await client(engine, "neighbour", "app");
  });

  it("does what compose.example.yml says", () => playExample(lab, name, example));

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

  it("keeps the host closed", () => keepsHostClosed(lab, name));

  it("resolves the names of its neighbours", () => resolvesNeighbours(lab, name));

  it("resolves the names of Compose's services", () => callByServiceName(lab, name));

  if (name === "e28") it("guards IPv6 as well", () => guardsIpv6(lab, name));

  it("answers on published ports", () => answersOnPublishedPorts(lab, name));

  it("leaves unguarded networks alone, old and new", async () => {
    const engine = lab.engine(name);
    await network(engine, "later");
    await client(engine, "after", "later");
    for (const container of ["before", "after"]) {
      await succeeds(engine, container, ...curl(`http://${denied}/`));
      await succeeds(engine, container, ...curl("http://www.example.org/"));
      await succeeds(engine, container, ...curl("http://www.example.com/"));
    }
    // Where the host's resolver is a loopback stub, the engine gives its default network a public one, which is not here.
    const onDefault = name === stubbed ? `http://${denied}/` : "http://www.example.net/";
    await run(engine, "run", "--rm", "busybox:lab", "wget", "-q", "-O", "/dev/null", onDefault);
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
    assert.match(doctor, /✅ capture of web: a lookup of a denied name inside it is denied by us/);
    assert.match(doctor, /✅ rules: /);
    assert.equal(report.backend, name === "e28l" ? "legacy" : "nft");
    // As people call it: every command by its own name, containers and networks as Compose does.
    const shown = await run(engine, "exec", "dockerwall", "status");
    assert.match(shown, /^ {2}label dockerwall\.allow: \*\.example\.com api\.github\.com:443$/m);
    for (const nickname of ["app", `${example.network.split("_")[0]}/app`]) {
      const explained = await run(engine, "exec", "dockerwall", "explain", nickname, "api.github.com:443");
      assert.match(explained, new RegExp(`^${example.app} → api\\.github\\.com:443: passes ✅`));
    }
    const refused = await engine.docker("exec", "dockerwall", "explain", "nobody", "a.example.com", "--json");
    assert.deepEqual([refused.exitCode, refused.stdout], [66, ""]);
    assert.equal((JSON.parse(refused.stderr) as { error: { code: string } }).error.code, "NOT_FOUND");
    assert.deepEqual(
      report.networks.map((entry) => `${entry.name} ${entry.state}`).sort(),
      ["app", example.network, ...(name === "e28" ? ["six"] : [])].map((entry) => `${entry} enforced`).sort(),
    );
  });

  it("prepares a network and hands it out enforced", () => preparesNetwork(lab, name));

  it("uninstalls without a trace", () => uninstalls(lab, name));
}
