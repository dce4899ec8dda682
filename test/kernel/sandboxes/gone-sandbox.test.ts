// What is left of a sandbox that is gone, where the kernel refuses a part of taking it away: that part alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sandboxComment } from "../../../src/core/firewall/names.ts";
import { hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { join, makeBridges } from "../../support/sandbox-plane.ts";
import { standingsOf } from "../../support/standings.ts";

enterNamespaces(import.meta.url);

makeBridges();
const sets = openKernelSets();
createSets(sets);

test("without a set that it has an entry in, its ports and addresses are free all the same", (t) => {
  t.after(() => sets.close());
  const address = "198.19.1.2" as IpAddress;
  const key = { kind: "net", prefix: hostPrefix(address) } as const;
  sets.add("dockerwall-quarantine4", [{ key, comment: sandboxComment("first") }]);
  const problems: string[] = [];
  const lost: string[] = [];
  const standings = standingsOf(t, {
    sets,
    own: (addresses) => addresses,
    lost: (each, sandbox) => lost.push(`${each} of ${sandbox}`),
    onProblem: (problem) => problems.push(problem),
  });
  const found = { addresses: [{ address, index: 2 }], linkLocal: [], interfaces: [] };
  const arrive = (name: string): string => {
    const box = createNamespace(name);
    standings.appear(name, box.fd);
    const port = join(box, "eth0", `${address}/24`);
    standings.lookNow();
    standings.enforce(name, found);
    return port;
  };
  // Judged anew later: what an earlier run knew of it stands until then.
  const port = arrive("first");
  run("ipset", "destroy", "dockerwall-quarantine4");
  standings.gone("first");
  assert.match(problems.join(), /^sandbox first: .*dockerwall-quarantine4/);
  assert.deepEqual(lost, [`${address} of first`]);
  run("ip", "link", "del", port);
  const heir = arrive("second");
  standings.commit();
  const chains = run("nft", "list", "table", "netdev", "dockerwall");
  assert.match(chains, new RegExp(`${heir}[^]*${address.replaceAll(".", "\\.")}`));
});
