// Two containers on a guarded network, where the kernel shows iptables what stays on a bridge.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { createNamespace, run, type TestNamespace } from "./namespace.ts";
import { app, containerOf, join, makeBridges, post, startPlane } from "./sandbox-plane.ts";

/** To be called in namespaces of the test's own, before the wall is raised. */
export function makeFilteredBridges(): void {
  makeBridges();
  for (const family of ["iptables", "ip6tables"])
    run("sysctl", "-qw", `net.bridge.bridge-nf-call-${family}=1`);
}

/** Starts the data plane and both, which it knows: `web` at 198.19.1.2 and 2001:db8:1::2, `db` at the next ones. */
export async function startNeighbours(
  t: TestContext,
): Promise<{ readonly web: TestNamespace; readonly db: TestNamespace }> {
  const { plane } = await startPlane(t);
  const [web = assert.fail(), db = assert.fail()] = ["web", "db"].map((name, index) => {
    const box = createNamespace(name);
    t.after(() => run("ip", "netns", "del", name));
    // Its IPv6 addresses can be used at once.
    box.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
    join(box, "eth0", `198.19.1.${index + 2}/24`, `2001:db8:1::${index + 2}/64`);
    return box;
  });
  await post(plane, [
    containerOf("web", "web", [app, "198.19.1.2"], [app, "2001:db8:1::2"]),
    containerOf("db", "db", [app, "198.19.1.3"], [app, "2001:db8:1::3"]),
  ]);
  return { web, db };
}
