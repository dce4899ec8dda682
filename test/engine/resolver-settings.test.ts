// What may be set about the resolver, on a real engine: resolvers and types of one network by its labels, the host's
// resolv.conf when it changes under the running daemon, and search domains, which are the container's own affair.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { client, deploy, inside, network, run, status, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

/** A second resolver in the fake internet, which answers every name with the one address. */
const otherResolver = "203.0.113.99";
const siteResolver = "198.51.100.53";
const otherAnswer = "203.0.113.1";

describe("settings of the resolver", { concurrency: 1 }, () => {
  let lab: Lab;
  let engine: Engine;

  before(async () => {
    lab = await startLab({ engines: ["e28"], product: true });
    const script = join(import.meta.dirname, "../support/quiet-resolver.ts");
    const { box } = lab.internet;
    const server = box.background("other-resolver", [process.execPath, script, otherResolver]);
    await until("the other resolver", 10_000, () =>
      readFileSync(server.log, "utf8").includes("ready") ? true : undefined,
    );
    engine = lab.engine("e28");
    await deploy(engine);
    await network(engine, "plain-net", "*.example.com *.big.example");
    await client(engine, "plain", "plain-net");
  });
  after(async () => {
    await lab?.down();
  });

  /** A guarded network with one more label, and a container on it that has the network's name without `-net`. */
  async function labelled(name: string, label: string): Promise<void> {
    await network(engine, `${name}-net`, "*.example.com *.big.example", "--label", label);
    await client(engine, name, `${name}-net`);
  }

  const dig = (container: string, ...args: string[]): Promise<string> =>
    succeeds(engine, container, "dig", "+short", ...args);

  /** The rcode, and the Extended DNS Error or how many answers there are. */
  async function told(container: string, name: string, type: string): Promise<readonly string[]> {
    const text = await succeeds(engine, container, "dig", type, name);
    const rcode = /status: (\w+)/.exec(text)?.[1] ?? "";
    const answers = /ANSWER: (\d+)/.exec(text)?.[1] ?? "";
    return [rcode, /EDE: (\d+)/.exec(text)?.[1] ?? `${answers} answers`];
  }

  /** The servers that were asked for a name, each once. */
  async function asked(name: string): Promise<readonly string[]> {
    const queries = await lab.internet.queries();
    return [...new Set(queries.flatMap((query) => (query.name === name ? [query.to] : [])))];
  }

  it("dockerwall.upstream: the network's lookups go there, and no other network's", async () => {
    await labelled("own", `dockerwall.upstream=${otherResolver}`);
    assert.equal(await dig("own", "own-only.example.com"), otherAnswer);
    assert.deepEqual(await asked("own-only.example.com"), [otherResolver]);
    assert.equal(await dig("plain", "www.example.com"), "203.0.113.11");
    assert.deepEqual(await asked("www.example.com"), [siteResolver]);
    // The same name from both, each from its own resolver: neither learns of the other's answer.
    assert.equal(await dig("own", "www.example.com"), otherAnswer);
    assert.equal(await dig("plain", "www.example.com"), "203.0.113.11");
  });

  it("dockerwall.upstream: a mistake is a problem, and opens nothing", async () => {
    await labelled("wrong", "dockerwall.upstream=resolver.example.com");
    const { networks } = await status(engine);
    const problems = networks.find(({ name }) => name === "wrong-net")?.problems ?? [];
    assert.match(problems.join("\n"), /dockerwall\.upstream[\s\S]*resolver\.example\.com/);
    assert.equal(await dig("wrong", "www.example.org"), "");
    assert.deepEqual(await asked("www.example.org"), []);
    await run(engine, "rm", "-f", "wrong");
    await run(engine, "network", "rm", "wrong-net");
  });

  it("dockerwall.types: TXT below a wildcard, for that network only", async () => {
    await labelled("texts", "dockerwall.types=TXT");
    assert.equal((await dig("texts", "TXT", "txt.big.example")).trim().split("\n").length, 20);
    assert.equal(await dig("plain", "TXT", "txt.big.example"), "");
  });

  it("search domains: a short name is found as it is without Dockerwall", async () => {
    await network(engine, "free-net");
    const search = ["--dns-search", "example.com"];
    await client(engine, "searcher", "plain-net", ...search);
    await client(engine, "free", "free-net", ...search);
    for (const name of ["www", "alias", "searcher.nowhere", "nothing-of-the-kind"]) {
      const [ours, theirs] = await Promise.all(
        ["searcher", "free"].map((container) => inside(engine, container, "getent", "ahostsv4", name)),
      );
      assert.deepEqual(
        [name, ours?.exitCode, ours?.stdout.split(" ")[0]],
        [name, theirs?.exitCode, theirs?.stdout.split(" ")[0]],
      );
    }
    assert.match(await succeeds(engine, "searcher", "getent", "ahostsv4", "www"), /^203\.0\.113\.11 /);
    const explained = await inside(engine, "dockerwall", "dockerwall", "explain", "searcher", "www:443");
    assert.match(explained.stdout, /: passes ✅\n[\s\S]*\n +looks up +www\.example\.com\n/);
  });

  it("doctor asks what a container's own /etc/resolv.conf names, and says which", async () => {
    await network(engine, "edited-net", `*.example.com ${otherResolver}:53/udp`);
    await client(engine, "edited", "edited-net");
    const format = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    const gateway = await run(engine, "inspect", "-f", format, "edited");
    const lines = [gateway, "203.0.113.77", otherResolver].map((each) => `nameserver ${each}\\n`).join("");
    await succeeds(engine, "edited", "sh", "-c", `printf '${lines}' > /etc/resolv.conf`);
    const doctor = (await inside(engine, "dockerwall", "doctor")).stdout;
    const named = (server: string): string => `resolver of edited: its /etc/resolv.conf names ${server}, `;
    for (const server of [gateway, "203.0.113.77"])
      assert.ok(
        doctor.includes(`✅ ${named(server)}and a lookup of a denied name there is denied by us`),
        doctor,
      );
    assert.ok(
      doctor.includes(
        `⚠️ ${named(otherResolver)}where Dockerwall answers nothing: an entry for edited-net allows it`,
      ),
      doctor,
    );
    assert.match(doctor, /✅ capture of edited: .* at Docker's resolver \(127\.0\.0\.11\)/);
    assert.doesNotMatch(doctor, /resolver of plain/);
    await run(engine, "rm", "-f", "edited");
    await run(engine, "network", "rm", "edited-net");
  });

  it("IPv6: an allowed name with private addresses only opens nothing, and says so", async () => {
    await network(engine, "six-net", "*.example.com", "--ipv6", "--subnet", "fd5d:9:1::/64");
    await client(engine, "six", "six-net");
    for (const name of ["mapped", "mapped-public", "loopback6", "unique6", "link6", "nat64"]) {
      assert.deepEqual(await told("six", `${name}.example.com`, "AAAA"), ["NOERROR", "15"], name);
    }
    assert.match(await dig("six", "AAAA", "svc.example.com"), /^2001:db8:1::1a$/m);
    const entries = await succeeds(engine, "dockerwall", "ipset", "save");
    const inward = /^add dockerwall-(?:grant|pair|ask)6 (?:::1|::ffff:|fd00:|fe80:|64:ff9b:)/m;
    assert.doesNotMatch(entries, inward);
  });

  it("a name that leads to another bridge's subnet opens nothing, unless the allowlist names the range", async () => {
    await network(engine, "named-net", "*.example.com 203.0.113.96/28");
    await client(engine, "named", "named-net");
    const opened = (await dig("plain", "rotating.example.com")).trim().split("\n");
    assert.equal(opened.length, 8);
    const ranges = ["--subnet", "203.0.113.96/28", "--ipv6", "--subnet", "2001:db8:1::10/124"];
    await network(engine, "other-net", undefined, ...ranges);
    await until("the new network to be known", 5_000, async () =>
      (await told("plain", "rotating.example.com", "A")).includes("15") ? true : undefined,
    );
    assert.deepEqual(await told("six", "svc.example.com", "AAAA"), ["NOERROR", "15"]);
    assert.equal((await dig("named", "rotating.example.com")).trim().split("\n").length, 8);
    await run(engine, "network", "rm", "other-net");
    await until("the network to be forgotten", 5_000, async () =>
      (await dig("plain", "rotating.example.com")).trim() === "" ? undefined : true,
    );
  });

  it("the host's resolv.conf: another resolver is used without a restart", async () => {
    const started = await run(engine, "inspect", "-f", "{{.State.StartedAt}}", "dockerwall");
    await engine.exec("sh", "-c", `echo nameserver ${otherResolver} > /etc/resolv.conf`);
    let attempt = 0;
    await until("the other resolver to be asked", 15_000, async () => {
      attempt += 1;
      return (await dig("plain", `changed-${attempt}.example.com`)) === otherAnswer ? true : undefined;
    });
    assert.equal(await run(engine, "inspect", "-f", "{{.State.StartedAt}}", "dockerwall"), started);
    assert.equal((await status(engine)).state, "enforcing");
  });
});
