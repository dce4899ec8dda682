// The answer never precedes the grant: thousands of names that nobody asked for before, each with an address of its
// own, each connected to in the very moment of its answer.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { client, deploy, inside, network, run } from "../support/dockerwall.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const names = 2000;

/** Port 9000 is neither 80 nor 443, so on `any` every first packet is one that the kernel asks us about. */
const script = `
import socket, sys
refused = 0
for index in range(${names}):
    name = "ip-198-18-%d-%d.bulk.example" % (int(sys.argv[2]) + index // 250, 1 + index % 250)
    try:
        socket.create_connection((name, int(sys.argv[1])), timeout=2).close()
    except OSError as error:
        refused += 1
        print(name, error, file=sys.stderr)
print(refused)
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

describe("the answer", () => {
  const cases = [
    { container: "on-listed", port: "80", from: "130" },
    { container: "on-any", port: "9000", from: "140" },
  ];
  for (const { container, port, from } of cases) {
    it(`never precedes the grant: ${names} fresh names, port ${port}, ${container}`, async () => {
      const outcome = await inside(lab.engine("e28"), container, "python3", "-c", script, port, from);
      assert.equal(outcome.stdout.trim(), "0", outcome.stderr.slice(0, 2000));
      const entries = await run(
        lab.engine("e28"),
        "exec",
        "dockerwall",
        "sh",
        "-c",
        `ipset save dockerwall-grant4 | grep -c ip-198-18-1${from[1]}`,
      );
      assert.ok(Number(entries) >= names);
    });
  }
});
