// What an entry names on purpose: a resolver by its port 53, and the private range that a name may lead into.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chosen } from "../../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  fails,
  inside,
  network,
  stats,
  succeeds,
  wall,
} from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
/** Answers every question with an address that is nobody's; the site's resolver, which is authoritative; mail.example.com. */
const [evil, authority, mail] = ["203.0.113.66", "198.51.100.53", "203.0.113.25"];
const bait = "203.0.113.67";
/** private10.example.com */
const privateHost = "10.0.0.1";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
  const { box } = lab.internet;
  await lab.internet.exec(["ip", "route", "add", "local", privateHost, "dev", "lo"]);
  const script = join(import.meta.dirname, "../../support/zone-server.ts");
  const server = box.background("zone-server", [process.execPath, script, mail]);
  const log = (): string => readFileSync(server.log, "utf8");
  await until("the zone server", 20_000, () => (log().includes("ready") ? true : undefined), log);
});
after(async () => {
  await lab?.down();
});

describe("what entries name on purpose", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => named(name));
});

function named(name: string): void {
  let engine: Engine;
  const dig = (container: string, ...args: string[]): Promise<string> =>
    succeeds(engine, container, "dig", "+tries=1", "+time=3", ...args);

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine);
    const written = `${authority}:53 ${evil}:53/udp mail.example.com:53`;
    await network(engine, "named", `${written} private10.example.com@10.0.0.0/8:8080/tcp`);
    await network(
      engine,
      "bare",
      `${authority} 203.0.113.0/24 ${evil}/udp mail.example.com private10.example.com`,
    );
    for (const container of ["asker", "neighbour"]) await client(engine, container, "named");
    await client(engine, "captured", "bare");
  });

  it("leads lookups past us where port 53 is written, and nowhere else", async () => {
    assert.equal((await dig("asker", "+short", `@${evil}`, "secret.example.org")).trim(), bait);
    // Only UDP is written.
    assert.match(
      await dig("asker", "+tcp", `@${evil}`, "secret.example.org"),
      /not in dockerwall\.allow of named/,
    );
    assert.match(
      await dig("asker", "@203.0.113.68", "secret.example.org"),
      /not in dockerwall\.allow of named/,
    );
    for (const server of [evil, authority, mail])
      assert.match(
        await dig("captured", `@${server}`, "secret.example.org"),
        /not in dockerwall\.allow of bare/,
      );
  });

  it("brings what only the zone's own server says", async () => {
    assert.match(await dig("asker", "+norec", `@${authority}`, "SOA", "example.com"), /flags: qr aa/);
    assert.doesNotMatch(
      await dig("asker", "+opcode=notify", `@${authority}`, "SOA", "example.com"),
      /NOTIMP/,
    );
    assert.match(await dig("captured", "+opcode=notify", `@${authority}`, "SOA", "example.com"), /NOTIMP/);
    const rows = (await stats(engine)).networks.find((entry) => entry.network === "bare")?.lookups ?? [];
    const row = rows.find(({ trouble }) => trouble === "no-query");
    assert.deepEqual([row?.domain, row?.allowed], ["example.com", false]);
  });

  it("leads past us to a named server only who has looked it up", async () => {
    const ours = /not in dockerwall\.allow of named/;
    assert.match(await dig("asker", `@${mail}`, "secret.example.org"), ours);
    assert.equal((await dig("asker", "+short", "mail.example.com")).trim(), mail);
    assert.doesNotMatch(await dig("asker", `@${mail}`, "secret.example.org"), ours);
    assert.doesNotMatch(await dig("asker", "+tcp", `@${mail}`, "secret.example.org"), ours);
    assert.match(await dig("neighbour", `@${mail}`, "secret.example.org"), ours);
    await succeeds(engine, "captured", "dig", "+short", "mail.example.com");
    assert.match(await dig("captured", `@${mail}`, "secret.example.org"), /not in dockerwall\.allow of bare/);
  });

  it("leads them to us again when the entry is taken away", async () => {
    const { exitCode } = await wall(engine, "deny", "named", `${evil}:53/udp`);
    assert.equal(exitCode, 0);
    await until(`${name}: to be captured again`, 5_000, async () => {
      const { stdout } = await inside(
        engine,
        "asker",
        "dig",
        "+tries=1",
        "+time=1",
        `@${evil}`,
        "secret.example.org",
      );
      return /not in dockerwall\.allow of named/.test(stdout) ? true : undefined;
    });
  });

  it("lets a name lead into its range, for its ports, and opens the range to nobody else", async () => {
    await succeeds(engine, "asker", ...curl(`http://private10.example.com:8080/`));
    await fails(engine, "asker", ...curl("--max-time", "1", `http://${privateHost}/`));
    await fails(engine, "neighbour", ...curl("--max-time", "1", `http://${privateHost}:8080/`));
    const told = await dig("captured", "private10.example.com");
    assert.match(
      told,
      /EDE: 15 \(Blocked\): \(left out 10\.0\.0\.1: .*add private10\.example\.com@10\.0\.0\.1, /,
    );
    await fails(engine, "captured", ...curl("--max-time", "1", `http://private10.example.com:8080/`));
  });
}
