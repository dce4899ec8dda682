// The resolver as containers meet it, on engines of three generations: the tables of questions, Docker's own names
// beside Docker's own resolver, and real clients.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { client, deploy, network, run, status } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { fullClients, runClients, smallClients } from "./resolver/clients.ts";
import { linkQuestions, nameQuestions } from "./resolver/name-questions.ts";
import { allowlist, policyQuestions } from "./resolver/policy-questions.ts";
import { addLinked, addResident, compareNames, isJustified, stageNames } from "./resolver/stage.ts";
import { askMessageTable, askPolicyTable } from "./resolver/tables.ts";

const engines = ["e20", "e26", "e28"] as const;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("the resolver", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => resolver(name));
});

function resolver(name: (typeof engines)[number]): void {
  before(async () => {
    const engine = lab.engine(name);
    await deploy(engine);
    await network(engine, "app", allowlist);
    await client(engine, "web", "app");
  });

  it("answers the table of names", async () => {
    assert.ok((await askPolicyTable(lab.engine(name), "web")) >= 3 * 100);
    const asked = (await lab.internet.queries()).filter(({ from }) => from === lab.engine(name).link.host);
    const denied = new Set(
      policyQuestions.flatMap((each) =>
        each.error === 15 && each.rcode === "NXDOMAIN" ? [each.name.toLowerCase()] : [],
      ),
    );
    const leaked = asked.filter((query) => denied.has(query.name));
    assert.deepEqual(leaked, []);
    assert.deepEqual(
      asked.filter((query) => query.type === "AAAA" || query.name === "unasked6.example.com"),
      [],
    );
  });

  it("answers the table of messages", async () => {
    assert.ok((await askMessageTable(lab.engine(name), "web")) >= 2 * 60);
  });

  it("answers Docker's names as Docker does", async () => {
    const engine = lab.engine(name);
    await stageNames(engine);
    const compared = await compareNames(engine, nameQuestions);
    const differ = compared.filter((each) => !isJustified(each));
    assert.deepEqual(differ, []);
    // One that was started a moment ago, and one that has just got another alias.
    await addResident(engine, { name: "newcomer", on: ["a"], aliases: ["new-alias"] });
    for (const world of ["plain", "guard"])
      await run(engine, "network", "connect", "--alias", "late", `${world}-b`, "db");
    const fresh = await compareNames(engine, [
      { name: "newcomer", type: "A" },
      { name: "new-alias", type: "A" },
      { name: "late", type: "A" },
      { name: "late", type: "AAAA" },
      { name: "late.{b}", type: "AAAA" },
      { name: "db", type: "AAAA" },
      { name: "", type: "PTR", addressOf: { container: "db", on: "b", family: 6 } },
    ]);
    assert.deepEqual(
      fresh.filter(({ docker, ours }) => JSON.stringify(docker) !== JSON.stringify(ours)),
      [],
    );
  });

  it("answers links as Docker does", async () => {
    const engine = lab.engine(name);
    await addLinked(engine);
    const compared = await compareNames(engine, linkQuestions);
    assert.deepEqual(
      compared.filter((each) => !isJustified(each)),
      [],
    );
  });

  it("forgets names as Docker does", async () => {
    const engine = lab.engine(name);
    await run(engine, "rename", "web1", "renamed");
    for (const world of ["plain", "guard"])
      await run(engine, "network", "disconnect", `${world}-a`, "newcomer");
    await run(engine, "rm", "-f", "web2");
    const questions = ["web", "web1", "web2", "renamed", "newcomer", "new-alias"].map((asked) => ({
      name: asked,
      type: "A" as const,
    }));
    await until(`${name}: both to forget`, 3_000, async () => {
      const compared = await compareNames(engine, questions);
      return compared.every(({ docker, ours }) => JSON.stringify(docker) === JSON.stringify(ours))
        ? true
        : undefined;
    });
  });

  it("serves real clients", async () => {
    const engine = lab.engine(name);
    await run(engine, "network", "connect", "app", "db");
    await run(engine, "run", "-d", "--name", "small", "--network", "app", "busybox:lab");
    const wrong = await Promise.all([
      runClients(engine, "web", fullClients),
      runClients(engine, "small", smallClients),
    ]);
    assert.deepEqual(wrong.flat(), []);
  });

  it("has lived through it", async () => {
    const report = await status(lab.engine(name));
    assert.equal(report.state, "enforcing");
    assert.equal(report.capture.problem, undefined);
  });
}
