// The answer never precedes the grant: thousands of names that nobody asked for before, each with an address of its
// own, each connected to in the very moment of its answer.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { client, deploy, network, run, stats, succeeds } from "../support/dockerwall.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const names = 2000;

/**
 * A client sends its first packet again after a second, and would hide that the first one was dropped: so a connection
 * has less time than that.
 */
const connectWithinSeconds = 0.9;

/** Port 9000 is neither 80 nor 443, so on `any` every first packet is one that the kernel asks us about. */
const script = `
import json, socket, sys, time
refused, slowest = [], 0
for index in range(${names}):
    name = "ip-198-18-%d-%d.bulk.example" % (int(sys.argv[2]) + index // 250, 1 + index % 250)
    address = socket.gethostbyname(name)
    began = time.monotonic()
    try:
        socket.create_connection((address, int(sys.argv[1])), timeout=${connectWithinSeconds}).close()
    except OSError as error:
        refused.append("%s %s" % (name, error))
    slowest = max(slowest, time.monotonic() - began)
print(json.dumps({"refused": refused, "slowestMs": round(slowest * 1000)}))
`;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
  const engine = lab.engine("e28");
  await deploy(engine);
  await network(engine, "listed", "*.bulk.example:80");
  await network(engine, "any", "*.bulk.example");
  await client(engine, "on-listed", "listed");
  await client(engine, "on-any", "any");
});
after(async () => {
  await lab?.down();
});

/** Names of the series that the kernel holds a grant for. */
async function grantedNames(from: number): Promise<number> {
  const saved = await run(lab.engine("e28"), "exec", "dockerwall", "ipset", "save", "dockerwall-grant4");
  const granted = [...saved.matchAll(/ip-198-18-(\d+)-\d+\.bulk\.example/g)]
    .filter(([, third]) => Number(third) >= from && Number(third) < from + 10)
    .map(([name]) => name);
  return new Set(granted).size;
}

describe("the answer", () => {
  const cases = [
    { container: "on-listed", port: "80", from: 130 },
    { container: "on-any", port: "9000", from: 140 },
  ];
  for (const { container, port, from } of cases) {
    it(`never precedes the grant: ${names} fresh names, port ${port}, ${container}`, async (t) => {
      const engine = lab.engine("e28");
      const connect = ["python3", "-c", script, port, String(from)];
      const { refused, slowestMs } = JSON.parse(await succeeds(engine, container, ...connect)) as {
        refused: string[];
        slowestMs: number;
      };
      t.diagnostic(`${names} names, ${refused.length} refused, slowest connection ${slowestMs} ms`);
      assert.deepEqual(refused, []);
      assert.equal(await grantedNames(from), names);
      const drops = (await stats(engine)).networks.flatMap((entry) => entry.drops);
      assert.deepEqual(
        drops.filter((drop) => drop.container === container),
        [],
      );
    });
  }
});
