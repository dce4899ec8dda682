// The resolver that the daemon asks is a container that it guards: status and doctor name it and the way out.

import assert from "node:assert/strict";
import { it } from "node:test";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, startFakeEngine } from "../../support/fake-engine.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const id = "0123456789ab".padEnd(64, "0");
const bridge = "br-0123456789ab";
const forwarder = "ab".repeat(32);
run("ip", "link", "add", bridge, "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);
run("ip", "link", "set", bridge, "up");

const cases: readonly [what: string, upstream: string, published: boolean, circle: RegExp | undefined][] = [
  [
    "a container's address",
    "198.19.1.53",
    false,
    /the host's resolver 198\.19\.1\.53 is container "forwarder"/,
  ],
  ["a port that a container publishes", "127.0.0.1", true, /the host's resolver 127\.0\.0\.1 is container/],
  ["an address of the host where no container is", "127.0.0.1", false, undefined],
];
for (const [what, upstream, published, circle] of cases) {
  it(`a resolver at ${what} is ${circle === undefined ? "no circle" : "told as a circle, with what to do"}`, async () => {
    await using engine = await startFakeEngine();
    engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
    const inside = container({ id: forwarder, name: "forwarder", on: { [id]: "198.19.1.53" } });
    const bindings = published ? { "53/udp": [{ HostIp: "0.0.0.0", HostPort: "53" }] } : {};
    const settings = { ...(inside["NetworkSettings"] as object), Ports: bindings };
    engine.containers.set(forwarder, { ...inside, NetworkSettings: settings });
    await using daemon = startDaemon(engine, { DOCKERWALL_UPSTREAM: upstream });
    await daemonEnforces(daemon);
    const { warnings } = await daemon.status();
    const doctor = await daemon.cli("doctor");
    // Nobody answers there in any case: it is not said to be well.
    assert.notEqual(doctor.exitCode, 0);
    if (circle === undefined) {
      assert.deepEqual(warnings, []);
      assert.match(doctor.stdout, /no upstream resolver answered/);
    } else {
      assert.match(warnings.join("\n"), circle);
      assert.match(doctor.stdout, /upstream.*is container "forwarder".*come back here/);
      assert.match(doctor.stdout, /DOCKERWALL_UPSTREAM/);
    }
    assert.equal((await daemon.cli("uninstall")).exitCode, 0);
  });
}
