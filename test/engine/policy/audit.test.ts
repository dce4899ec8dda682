// From nothing to an enforced allowlist, as a user would do it with Compose: audit, suggest, paste, enforce.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ReplayReport } from "../../../src/core/model/report/replay.ts";
import type { SuggestReport } from "../../../src/core/model/report/suggest.ts";
import { chosen, printRow } from "../../support/chosen.ts";
import { curl, deploy, fails, stats, succeeds, wall } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
/** A name that no label here ever allows, and its address. */
const stranger = "203.0.113.30";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("audit, suggest, enforce", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => learns(name));
});

const compose = (labels: string): string => `services:
  app:
    image: client:lab
    networks: [backend]
networks:
  backend:
    labels:
${labels}
`;

function learns(name: string): void {
  let engine: Engine;
  let folder: string;
  let file: string;
  let suggested: string;
  const network = "shop_backend";
  const app = "shop-app-1";
  /** Writes the file and brings it up, as after an edit. */
  const up = async (labels: string): Promise<void> => {
    writeFileSync(file, compose(labels));
    for (const words of [["down"], ["up", "--detach"]]) {
      const outcome = await engine.compose(file, "--project-name", "shop", ...words);
      assert.equal(outcome.exitCode, 0, `${outcome.stdout}\n${outcome.stderr}`);
    }
  };
  const work = [
    curl("http://www.example.com/"),
    curl("https://www.example.com/", "--insecure"),
    ...["aa", "bb", "cc", "dd"].map((label) => curl(`http://${label}.wild.example.com/`)),
    curl("http://198.51.100.10:8080/"),
    ["dig", "+short", "TXT", "_dmarc.example.com"],
  ];

  before(async () => {
    engine = lab.engine(name);
    folder = mkdtempSync(join(tmpdir(), "audit-test-"));
    file = join(folder, "compose.yml");
    await deploy(engine);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("audit lets everything pass and records what would have been denied", async () => {
    const from = performance.now();
    await up("      dockerwall.allow: ''\n      dockerwall.mode: audit");
    for (const argv of work) await succeeds(engine, app, ...argv);
    await succeeds(engine, app, ...curl(`http://${stranger}:8080/`));
    await succeeds(
      engine,
      app,
      ...curl("http://private10.example.com/", "--resolve", `private10.example.com:80:${stranger}`),
    );
    const rows = (await stats(engine)).networks.find((entry) => entry.network === network);
    assert.equal(rows?.mode, "audit");
    assert.ok(rows?.lookups.every(({ allowed }) => !allowed));
    const named = rows?.drops.find(
      ({ service, domain }) => service === "tcp:443" && domain === "www.example.com",
    );
    assert.ok(named !== undefined, JSON.stringify(rows?.drops));
    assert.ok(
      rows?.drops.some(({ destination, domain }) => destination === "198.51.100.10" && domain === undefined),
    );
    const explained = await wall(engine, "explain", app, "www.example.com:443");
    assert.equal(explained.exitCode, 0);
    assert.match(explained.stdout, /passes ✅\n.*audit mode lets it pass/);
    const { stdout } = await wall(engine, "suggest", network, "--wildcards");
    suggested = stdout;
    printRow(name, "audit to suggestion", `${((performance.now() - from) / 1000).toFixed(1)} s`);
  });

  it("suggest prints the smallest label with its ports, ready to paste", async () => {
    const { stdout } = await wall(engine, "suggest", network, "--wildcards", "--json");
    const report = JSON.parse(stdout) as SuggestReport;
    assert.equal(report.composeKey, "backend");
    for (const entry of [
      "www.example.com:80/tcp",
      "www.example.com:443/tcp",
      "*.wild.example.com:80/tcp",
      "198.51.100.10:8080/tcp",
      "_dmarc.example.com",
      `${stranger}:8080/tcp`,
    ]) {
      assert.ok(report.added.includes(entry), `${entry} in ${report.added.join(" ")}`);
    }
    assert.ok(
      report.added.every((entry) => !entry.includes("aa.wild")),
      report.added.join(" "),
    );
    assert.match(suggested, /^networks:\n {2}backend:\n {4}labels:\n {6}dockerwall\.allow: >-\n {8}\S+/m);
  });

  it("what was pasted is enforced: all of it works, and nothing else does", async () => {
    const from = performance.now();
    const label = suggested
      .slice(suggested.indexOf("      dockerwall.allow"))
      .split("\n")
      .filter((line) => !line.startsWith("#") && !line.includes(stranger))
      .join("\n");
    await up(label);
    for (const argv of work) await succeeds(engine, app, ...argv);
    const capture = await lab.capture(name, `dst host ${stranger}`);
    await fails(engine, app, ...curl(`http://${stranger}:8080/`));
    await fails(engine, app, ...curl("http://denied.example.com/"));
    await fails(engine, app, ...curl("http://www.example.com:8080/"));
    assert.deepEqual(await capture.stop(), []);
    await succeeds(engine, app, ...curl("http://ee.wild.example.com/"));
    printRow(
      name,
      "paste to green",
      `${((performance.now() - from) / 1000).toFixed(1)} s`,
      label.replaceAll(/\s+/g, " "),
    );
  });

  it("suggest names what nothing used, and replay what another label would change", async () => {
    await until("every lookup to be written down", 5_000, async () => {
      const rows = (await stats(engine)).networks.find((entry) => entry.network === network);
      return rows?.lookups.some(({ domain }) => domain === "ee.wild.example.com") ? true : undefined;
    });
    await up('      dockerwall.allow: "*.example.com never.example.org:443 192.0.2.1"');
    for (const argv of work.slice(0, 2)) await succeeds(engine, app, ...argv);
    const unused = JSON.parse(
      (await wall(engine, "suggest", network, "--unused", "--json")).stdout,
    ) as SuggestReport;
    assert.deepEqual(unused.unused, ["never.example.org:443", "192.0.2.1/32"]);
    const replayed = await wall(engine, "replay", network, "--allow", "api.example.com", "--json");
    const { rows } = JSON.parse(replayed.stdout) as ReplayReport;
    const changed = rows.filter(({ before, after }) => before && !after).map(({ what }) => what);
    assert.ok(changed.includes("www.example.com"), JSON.stringify(rows));
    assert.ok(
      changed.some((what) => what.includes("203.0.113.11 tcp:443 (www.example.com)")),
      JSON.stringify(rows),
    );
    const bad = await wall(engine, "replay", network, "--allow", "*");
    assert.equal(bad.exitCode, 65);
  });
}
