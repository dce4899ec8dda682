// Whatever somebody does to the rules while containers send: it is put right, and the wire says how long it was not.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../support/chosen.ts";
import { client, curl, deploy, enforcing, network, run, status, succeeds } from "../support/dockerwall.ts";
import { denied, flooder, healing, openFor } from "../support/flood.ts";
import type { Capture } from "../support/lab/capture.ts";
import { command, until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { root } from "../support/lab/roots.ts";

/** What heals is the same on every engine; what the host's own tools do differs with their age. */
const engines = chosen([
  { kind: "e20", name: "e20" },
  { kind: "e28", name: "e28" },
  { kind: "e28", name: "e28l", iptables: "legacy" },
] as const);

const both = (rest: string): string => `iptables -w ${rest} && ip6tables -w ${rest}`;
const allTables = (...commands: string[]): string =>
  ["raw", "mangle", "nat", "filter"]
    .flatMap((table) => commands.map((command) => both(`-t ${table} ${command}`)))
    .join(" && ");

interface Change {
  readonly title: string;
  readonly script: string;
  /** Takes back what is not ours to take back. */
  readonly after?: string;
  readonly only?: "nft" | "legacy";
  /** Neither takes a rule of ours away nor moves one: nothing to count. */
  readonly harmless?: true;
}

const destroySets =
  "for round in 1 2; do for set in $(ipset list -n); do ipset flush $set; ipset destroy $set; done; done 2>/dev/null; true";

/** In this order: Docker's own rules go with the flushes, and the wire judges us alone, because nothing else drops. */
const changes: readonly Change[] = [
  {
    title: "`iptables -P ACCEPT`",
    script: `${both("-P FORWARD ACCEPT")}; ${both("-t mangle -P FORWARD ACCEPT")}`,
    harmless: true,
  },
  { title: "`ipset flush` of every set", script: "ipset flush", harmless: true },
  { title: "`ipset destroy` of every set", script: destroySets, harmless: true },
  { title: "`docker network prune`", script: "docker network prune -f", harmless: true },
  {
    title: "our jump moved to the end, behind a foreign ACCEPT",
    script: ["-D FORWARD -j DOCKERWALL-FORWARD", "-A FORWARD -j ACCEPT", "-A FORWARD -j DOCKERWALL-FORWARD"]
      .map((rest) => both(`-t mangle ${rest}`))
      .join("; "),
    after: both("-t mangle -D FORWARD -j ACCEPT"),
  },
  { title: "our jump deleted", script: both("-t mangle -D FORWARD -j DOCKERWALL-FORWARD") },
  {
    title: "a foreign ACCEPT put before our jump",
    script: both("-t mangle -I FORWARD 1 -j ACCEPT"),
    after: both("-t mangle -D FORWARD -j ACCEPT"),
  },
  { title: "a rule of ours deleted", script: "iptables -w -t mangle -D DOCKERWALL-FORWARD 3" },
  {
    title: "a foreign ACCEPT put into our chain",
    script: "iptables -w -t mangle -I DOCKERWALL-JUDGE 1 -j ACCEPT",
  },
  { title: "a rule of ours replaced", script: "iptables -w -t mangle -R DOCKERWALL-DENY 2 -j RETURN" },
  {
    title: "`ufw enable`",
    script: "$UFW ufw --force enable",
    after: "$UFW ufw --force disable",
    only: "nft",
    harmless: true,
  },
  { title: "`iptables -F` in mangle and raw", script: `${both("-t mangle -F")}; ${both("-t raw -F")}` },
  { title: "`iptables -F` and `-X` in every table", script: allTables("-F", "-X") },
  {
    title: "firewalld's flush: `-F`, `-X`, `-Z` in one restore per table",
    script: ["iptables", "ip6tables"]
      .flatMap((tool) =>
        ["raw", "mangle", "nat", "filter"].map(
          (table) => `printf '*${table}\\n-F\\n-X\\n-Z\\nCOMMIT\\n' | ${tool}-restore -w -n`,
        ),
      )
      .join("; "),
  },
  { title: "`nft flush ruleset`", script: "nft flush ruleset", only: "nft" },
  {
    title: "`nft flush ruleset` and every set destroyed",
    script: `nft flush ruleset; ${destroySets}`,
    only: "nft",
  },
  {
    title: "`iptables -F` and `-X` in every table, and every set destroyed",
    script: `${allTables("-F", "-X")}; ${destroySets}`,
  },
];

/** ufw of Debian in a root of its own, started in a host; what its maintainer script would have done is done here. */
async function unpackUfw(into: string): Promise<string> {
  await command(["cp", "-a", await root("ufw"), into]);
  const copy =
    'cd "$1" && cp usr/share/ufw/iptables/*.rules usr/share/ufw/ufw.conf usr/share/ufw/*.init etc/ufw/';
  await command(["sh", "-c", copy, "sh", into]);
  return `unshare --mount sh -c 'mount --bind /proc ${into}/proc && mount --bind /dev ${into}/dev && exec chroot ${into} "$@"' sh`;
}

let lab: Lab;
let ufw: string;
before(async () => {
  lab = await startLab({ engines, product: true });
  ufw = await unpackUfw(`/tmp/${lab.name}-ufw`);
});
after(async () => {
  await lab?.down();
  if (lab !== undefined) await command(["rm", "-rf", `/tmp/${lab.name}-ufw`]);
});

describe("healing", { concurrency: true }, () => {
  for (const { name } of engines) describe(name, { concurrency: 1 }, () => heals(name));
});

/** Of the engines on nft one at a time: what is measured in milliseconds must not wait for a neighbour's processor. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (name === "e28l") return work();
  const mine = turn.then(work, work);
  turn = mine.catch(() => undefined);
  return mine;
}

function heals(name: string): void {
  const backend = name === "e28l" ? "legacy" : "nft";
  /** What is promised; a machine at work on other things gets more, unless the figures are what is wanted. */
  const limitMs = (backend === "nft" ? 100 : 5_000) * (long ? 1 : 1.2) + (long ? 0 : 1_500);
  let capture: Capture;

  before(async () => {
    const engine = lab.engine(name);
    await deploy(engine);
    await network(engine, "app", "www.example.com");
    await network(engine, "unused", "");
    await client(engine, "web", "app");
    await flooder(engine, "flood", "app");
    capture = await lab.capture(name, `dst host ${denied}`);
  });

  for (const change of changes.filter(({ only }) => only === undefined || only === backend)) {
    it(change.title.replaceAll("`", ""), () =>
      inTurn(name, async () => {
        const engine = lab.engine(name);
        const { rulesHealed } = await status(engine);
        const seen = (await capture.packets()).length;
        const { ms, difference } = await healing(engine, change.script.replace("$UFW", ufw), 8_000);
        const leaked = (await capture.packets()).slice(seen);
        printRow(
          name,
          change.title,
          `${ms ?? "never"} ms`,
          `${openFor(leaked)} ms`,
          `${leaked.length} packets`,
        );
        assert.notEqual(ms, undefined, difference);
        if (change.after !== undefined) await engine.exec("bash", "-c", change.after.replace("$UFW", ufw));
        if (change.harmless !== true) {
          await until("the count of what was put right", 2_000, async () =>
            (await status(engine)).rulesHealed > rulesHealed ? true : undefined,
          );
        }
        assert.deepEqual((await capture.packets()).slice(seen + leaked.length), [], "after it was put right");
        assert.ok((ms ?? 0) <= limitMs, `${ms} ms`);
      }),
    );
  }

  it("an engine restart", async () => {
    const engine = lab.engine(name);
    const seen = (await capture.packets()).length;
    await run(engine, "update", "--restart=always", "dockerwall", "web", "flood");
    await engine.restart();
    await enforcing(engine);
    await succeeds(engine, "web", ...curl("--retry", "3", "--retry-all-errors", "http://www.example.com/"));
    assert.deepEqual((await capture.stop()).slice(seen), []);
  });
}
