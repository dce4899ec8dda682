// The lab proves itself: containers reach the fake internet on every engine, the capture sees it, Compose works,
// and nothing is left of it afterwards.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertUntouched, type HostState, readMachineState } from "../support/host-state.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { leftovers } from "../support/lab/run-end.ts";

const engines = [
  { kind: "e20", name: "e20" },
  { kind: "e26", name: "e26" },
  { kind: "e28", name: "e28" },
  { kind: "e20", name: "e20-legacy", iptables: "legacy" },
  { kind: "e28", name: "e28-legacy", iptables: "legacy", resolver: "stub", liveRestore: true, ipv6: true },
] as const;

const compose = `
services:
  web:
    image: busybox:lab
    command: httpd -f -p 80
  asker:
    image: client:lab
    init: true
    volumes: ["./mounted:/mounted:ro"]
networks:
  default:
    labels: { dockerwall.allow: "" }
`;

describe("lab", () => {
  let lab: Lab;
  let folder: string;
  let was: HostState;
  before(async () => {
    was = await readMachineState();
    lab = await startLab({ engines });
    folder = await mkdtemp(join(tmpdir(), "lab-test-"));
    await writeFile(join(folder, "compose.yml"), compose);
    await writeFile(join(folder, "mounted"), "seen");
  });
  after(async () => {
    await lab.down();
    await rm(folder, { recursive: true });
    assert.deepEqual(leftovers(lab.name), []);
    const links = readFileSync("/proc/net/dev", "utf8");
    assert.doesNotMatch(links, /veth|br-|docker0/, "the machine got a link");
    assertUntouched(was, await readMachineState());
  });

  for (const { name, kind } of engines) {
    describe(name, () => {
      test("is of its generation", async () => {
        const { stdout } = await lab.engine(name).docker("version", "--format", "{{.Server.Version}}");
        assert.match(stdout, new RegExp(`^${kind.slice(1)}\\.`));
      });

      test("a container reaches the internet by name, and capture and queries show it", async () => {
        const engine = lab.engine(name);
        await lab.internet.forgetQueries();
        const capture = await lab.capture(name, "tcp dst port 443");
        await engine.docker("network", "create", "plain");
        const argv = [
          "run",
          "--rm",
          "--network",
          "plain",
          "client:lab",
          "curl",
          "-4sS",
          "https://www.example.com/hello",
        ];
        const { stdout, stderr } = await engine.docker(...argv);
        assert.match(stdout, /"url":"\/hello","server":"203\.0\.113\.11"/, stderr);
        const packets = await capture.stop();
        assert.ok(packets.length > 3);
        assert.ok(
          packets.every(
            ({ src, dst, dport }) => src === engine.link.host && dst === "203.0.113.11" && dport === 443,
          ),
        );
        const asked = (await lab.internet.queries()).filter(({ from }) => from === engine.link.host);
        assert.ok(asked.some(({ name: asks, type }) => asks === "www.example.com" && type === "A"));
      });

      test("UDP answers from the address that was asked", async () => {
        const script = "echo hi | timeout 2 nc -u -w1 203.0.113.77 9000";
        const { stdout } = await lab.engine(name).docker("run", "--rm", "client:lab", "bash", "-c", script);
        assert.equal(stdout.trim(), "hi");
      });

      test("Compose starts a project and its services see each other", async () => {
        const engine = lab.engine(name);
        const file = join(folder, "compose.yml");
        const up = await engine.compose(file, "-p", "demo", "up", "-d");
        assert.equal(up.exitCode, 0, up.stderr);
        const asked = await engine.compose(
          file,
          "-p",
          "demo",
          "exec",
          "-T",
          "asker",
          "curl",
          "-s",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "http://web/",
        );
        assert.equal(asked.stdout, "404", asked.stderr);
        const seen = await engine.compose(file, "-p", "demo", "exec", "-T", "asker", "cat", "/mounted");
        assert.equal(seen.stdout, "seen");
        const down = await engine.compose(file, "-p", "demo", "down", "-t", "0");
        assert.equal(down.exitCode, 0, down.stderr);
      });

      test("dockerd is where a product on the host would look for it", async () => {
        const engine = lab.engine(name);
        const pid = String(engine.dockerdPid());
        const { stdout } = await engine.exec(
          "bash",
          "-c",
          `cat /proc/${pid}/comm; readlink /proc/${pid}/ns/net /proc/self/ns/net; ls /proc/${pid}/root/run/docker/netns >/dev/null && echo found; test -S /var/run/docker.sock && echo socket`,
        );
        const [comm, theirs, ours, found, socket] = stdout.split("\n");
        assert.deepEqual([comm, found, socket], ["dockerd", "found", "socket"]);
        assert.equal(theirs, ours);
      });
    });
  }

  test("the backend is the one that was asked for", async () => {
    const count = async (engine: string, tool: string): Promise<number> =>
      (await lab.engine(engine).exec(`${tool}-save`, "-t", "nat")).stdout
        .split("\n")
        .filter((line) => line.includes("DOCKER")).length;
    assert.ok((await count("e28", "iptables-nft")) > 0);
    assert.equal(await count("e28", "iptables-legacy"), 0);
    for (const engine of ["e20-legacy", "e28-legacy"]) {
      assert.ok((await count(engine, "iptables-legacy")) > 0);
      assert.equal(await count(engine, "iptables-nft"), 0);
    }
  });

  test("a container that live-restore keeps survives a crash of the engine, and exec finds it again", async () => {
    const engine = lab.engine("e28-legacy");
    await engine.docker("run", "-d", "--name", "kept", "--network", "plain", "client:lab");
    await engine.kill();
    await engine.start();
    const { stdout, stderr } = await engine.docker(
      "exec",
      "kept",
      "curl",
      "-sS",
      "http://www.example.com/again",
    );
    assert.match(stdout, /"url":"\/again"/, stderr);
    const before = engine.dockerdPid();
    await engine.restart();
    assert.notEqual(engine.dockerdPid(), before);
    assert.equal((await engine.docker("exec", "kept", "true")).exitCode, 0);
  });

  test("IPv6 reaches the internet where it was asked for", async () => {
    const engine = lab.engine("e28-legacy");
    const { stdout, stderr } = await engine.docker(
      "run",
      "--rm",
      "client:lab",
      "curl",
      "-6sS",
      "http://[2001:db8:1::11]/",
    );
    assert.match(stdout, /"server":"2001:db8:1::11"/, stderr);
  });

  test("nothing has a way to the outside", async () => {
    const { stdout } = await lab.internet.exec(["ip", "route", "show", "default"]);
    assert.equal(stdout, "");
    const links = (await lab.internet.exec(["ip", "-br", "link"])).stdout
      .split("\n")
      .map((line) => line.split(/[@\s]/)[0]);
    assert.deepEqual(links.sort(), ["lo", ...engines.map(({ name }) => name)].sort());
    for (const { exec, link } of lab.engines) {
      const routes = (await exec("sh", "-c", "ip -4 route show default; ip -6 route show default")).stdout;
      assert.deepEqual(
        routes.split("\n").map((line) => line.trim().replace(/ metric.*/, "")),
        [link.gateway, link.gateway6].map((gateway) => `default via ${gateway} dev eth0`),
      );
      const devices = (await exec("ip", "-br", "link", "show", "up")).stdout
        .split("\n")
        .map((line) => line.split(/[@\s]/)[0]);
      const strange = devices.filter((device) => !/^(lo|eth0|docker0|br-\w+|veth\w+)$/.test(device ?? ""));
      assert.deepEqual(strange, []);
    }
  });
});
