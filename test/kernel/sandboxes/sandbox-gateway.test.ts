// A container that is a host itself (kind, k3d): it rewrites Docker's rules, so that its gateway's address means Docker's
// resolver, for itself and for the containers inside of it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import type { Standing } from "../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { createSandboxes } from "../../../src/edge/sandbox/sandboxes.ts";
import { installSandboxTable } from "../../../src/edge/sandbox/tables/capture.ts";
import { pinGateways } from "../../../src/edge/sandbox/tables/gateways.ts";
import { removeSandboxTables } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { policyOf } from "../../support/policies.ts";
import { openSandboxSockets } from "../../support/sandbox-sockets.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const gateway = "198.18.0.1" as IpAddress;
/** The host's side of the bridge, where layer 1 answers. */
const host = createSocket("udp4", (message, { port, address }) => {
  host.send(Buffer.concat([Buffer.from("host:"), message]), port, address);
});
let node: TestNamespace;
let pod: TestNamespace;
let docker: Worker;

function wire(from: TestNamespace, inner: string, address: string, to?: TestNamespace): void {
  const outer = `to-${from.name}`;
  run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", from.name);
  if (to !== undefined) run("ip", "link", "set", outer, "netns", to.name);
  const there = (...args: string[]): string =>
    to === undefined ? run("ip", ...args) : to.run("ip", ...args);
  const [net = ""] = address.split(/\.\d+$/);
  there("address", "add", `${net}.1/24`, "dev", outer);
  there("link", "set", outer, "up");
  from.run("ip", "address", "add", `${address}/24`, "dev", inner);
  from.run("ip", "link", "set", inner, "up");
  from.run("ip", "link", "set", "lo", "up");
  from.run("ip", "route", "add", "default", "via", `${net}.1`);
}

before(async () => {
  node = createNamespace("node");
  pod = createNamespace("pod");
  const ours = openSandboxSockets(node.fd);
  const resolver = openSandboxSockets(node.fd);
  docker = new Worker(new URL("../../support/echo-worker.ts", import.meta.url), {
    workerData: [{ ...resolver, prefix: "docker" }],
  });
  await once(docker, "message");
  wire(node, "eth0", "198.18.0.2");
  wire(pod, "eth0", "10.244.0.2", node);
  host.bind(53, gateway);
  await once(host, "listening");
  withNamespace(node.fd, () => installSandboxTable(ours));
  // As kind's entrypoint leaves Docker's rules.
  const nat = (...rule: string[]): string => node.run("iptables-nft", "-t", "nat", ...rule);
  for (const chain of ["OUTPUT", "PREROUTING"]) {
    const lookup = ["-d", gateway, "-p", "udp", "--dport", "53"];
    nat("-A", chain, ...lookup, "-j", "DNAT", "--to-destination", `127.0.0.11:${resolver.udpPort}`);
  }
  nat("-A", "POSTROUTING", "-s", "127.0.0.11", "-p", "udp", "-j", "SNAT", "--to-source", `${gateway}:53`);
  nat("-A", "POSTROUTING", "-s", "10.244.0.0/24", "!", "-d", "10.244.0.0/24", "-j", "MASQUERADE");
  node.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1", "net.ipv4.ip_forward=1");
});
after(async () => {
  host.close();
  await docker.terminate();
});

/** Who answers a question to the gateway; empty for nobody. */
async function ask({ name }: TestNamespace): Promise<string> {
  const script = `exec 3<>/dev/udp/${gateway}/53 && printf q >&3 && timeout 0.7 cat <&3`;
  const argv = ["netns", "exec", name, "timeout", "2", "bash", "-c", script];
  return (await promisify(execFile)("ip", argv).catch((error: { stdout: string }) => error)).stdout;
}

test("a question to the gateway, which such a container has come to Docker's resolver, comes to the host", async () => {
  assert.deepEqual([await ask(node), await ask(pod)], ["", ""]);
  withNamespace(node.fd, () => pinGateways([gateway]));
  assert.deepEqual([await ask(node), await ask(pod)], ["host:q", "host:q"]);
  // Once more, as with every picture that names another gateway.
  withNamespace(node.fd, () => pinGateways(["198.18.9.1" as IpAddress, gateway]));
  assert.deepEqual([await ask(node), await ask(pod)], ["host:q", "host:q"]);
});

test("it goes with everything of ours", async () => {
  withNamespace(node.fd, removeSandboxTables);
  assert.doesNotMatch(node.run("nft", "list", "tables"), /dockerwall/);
  assert.equal(await ask(node), "docker:q");
});

test("it stays while it is not known any more where the container stands, and goes once it is open", async (t) => {
  const home = { networkId: "app", networkName: "app", policy: policyOf("app", ""), labels: unlabelled };
  const guarded: Standing = {
    kind: "guarded",
    memberships: [{ ...home, internal: false, addresses: [], gateways: [gateway] }],
    settled: true,
    mayLose: false,
  };
  let standing: Standing = guarded;
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness: createReadiness(),
    enforce: (_found, sandbox) => (sandbox === node.name ? standing : { kind: "open" }),
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => true,
    portsWait: () => false,
    onAppear: () => undefined,
    onQuery: () => undefined,
    onGone: () => undefined,
    onUnanswerable: () => undefined,
    onUnknown: () => undefined,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: () => undefined,
    onProblem: assert.fail,
  });
  t.after(sandboxes.releaseAll);
  const isPinned = (): boolean => /dockerwall-gateway/.test(node.run("nft", "list", "tables"));
  sandboxes.captureNow();
  assert.equal(isPinned(), true);
  standing = { kind: "unknown" };
  sandboxes.reclassify();
  assert.equal(isPinned(), true);
  standing = guarded;
  sandboxes.reclassify();
  assert.equal(isPinned(), true);
  standing = { kind: "open" };
  sandboxes.reclassify();
  await until("its release", 3_000, () => (isPinned() ? undefined : true));
});
