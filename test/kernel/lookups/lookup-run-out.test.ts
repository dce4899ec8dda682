// A program that keeps an address for longer than its lookup said: what `stats` and `explain` say, beside what its packets
// do.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { it } from "node:test";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { bridgeNetwork, container, startFakeEngine } from "../../support/fake-engine.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const app = "0123456789ab".padEnd(64, "0");
const web = "ab".repeat(32);
const bridge = "br-0123456789ab";
const server = "203.0.113.5";

/** The container's sandbox on its bridge, and the server behind the host. */
function build(): void {
  run("sysctl", "-qw", "net.ipv4.ip_forward=1");
  run("ip", "link", "add", bridge, "up", "type", "bridge");
  run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);
  const box = createNamespace("web");
  run("ip", "link", "add", "veth0000002", "type", "veth", "peer", "name", "eth0", "netns", "web");
  run("ip", "link", "set", "veth0000002", "master", bridge, "up");
  const net = createNamespace("net");
  run("ip", "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", "net");
  run("ip", "addr", "add", "203.0.113.1/24", "dev", "out");
  run("ip", "link", "set", "out", "up");
  for (const [there, address, via] of [
    [box, "198.19.1.2/24", "198.19.1.1"],
    [net, `${server}/24`, "203.0.113.1"],
  ] as const) {
    there.run("ip", "link", "set", "lo", "up");
    there.run("ip", "addr", "add", address, "dev", "eth0");
    there.run("ip", "link", "set", "eth0", "up");
    there.run("ip", "route", "add", "default", "via", via);
  }
}

const inWeb = (seconds: number, script: string): number | null =>
  spawnSync("ip", ["netns", "exec", "web", "timeout", `${seconds}`, "bash", "-c", script]).status;
/** Nothing listens there: a client that arrives gets an error at once. */
const arrives = (): boolean => inWeb(2, `: < /dev/tcp/${server}/443`) === 1;
const question = [...rawMessage({ counts: [1, 0, 0, 0], body: [rawQuestion(plainName("www.example.com"))] })]
  .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
  .join("");
const isOpen = (): boolean =>
  run("ipset", "list", "dockerwall-grant4").includes(`${server},tcp:443,198.19.1.2`);
const lookUp = async (): Promise<void> => {
  assert.equal(inWeb(5, `printf '${question}' > /dev/udp/198.19.1.1/53`), 0);
  await until("the lookup to open its address", 10_000, () => (isOpen() ? true : undefined));
};

it("hears that its lookup has run out, and passes again by another one", async (t) => {
  build();
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [server], { ttl: 1 })),
  });
  t.after(upstream.close);
  await using engine = await startFakeEngine();
  engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "www.example.com:443" }));
  engine.containers.set(
    web,
    container({ id: web, name: "web", sandbox: "web", on: { [app]: "198.19.1.2" } }),
  );
  await using daemon = startDaemon(engine, {
    DOCKERWALL_UPSTREAM: `127.0.0.1:${upstream.port}`,
    DOCKERWALL_LEASE_FLOOR: "6s",
    DOCKERWALL_LEASE_GRACE: "1s",
  });
  await daemonEnforces(daemon);
  const explained = async (): Promise<string> => {
    const { exitCode, stdout } = await daemon.cli("explain", "web", "www.example.com:443");
    assert.equal(exitCode, 0, stdout);
    return stdout;
  };
  assert.match(await explained(), /^ {2}no lookup +is in force, and none is remembered: /m);
  await lookUp();
  assert.equal(arrives(), true);
  await until("the lookup to run out", 30_000, () => (isOpen() ? undefined : true));
  assert.equal(arrives(), false);
  const { stdout } = await daemon.cli("stats");
  assert.match(
    stdout,
    /tcp:443 +203\.0\.113\.5 .* www\.example\.com; its name is allowed, but no recent lookup has opened it \(the last was \d+s ago\): look up www\.example\.com again/,
  );
  assert.match(await explained(), /^ {2}no lookup +is in force, the last was \d+s ago: /m);
  await lookUp();
  assert.equal(arrives(), true);
  assert.equal((await daemon.cli("uninstall")).exitCode, 0);
});
