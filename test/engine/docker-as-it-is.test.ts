// What is not a matter of the policy is as Docker has it, engine by engine: one project on networks that nobody guards,
// and on guarded ones beside them, asked and reached in the same ways.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import { deploy, enforcing, run, status, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { changes, namesSeen, stageProject, worlds } from "./docker-as-it-is/names.ts";
import { isClosedByDesign, modesOf, reachedIn, stagePorts, startAgain } from "./docker-as-it-is/ports.ts";

const engines = chosen(["e20", "e26", "e28"] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("Docker as it is", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => asItIs(name));
});

function asItIs(name: (typeof engines)[number]): void {
  before(async () => {
    const engine = lab.engine(name);
    await deploy(engine);
    for (const world of worlds) {
      await stageProject(engine, world);
      await stagePorts(engine, world);
    }
  });

  for (const { what, make } of changes) {
    it(`tells the same of names when the project ${what}`, async () => {
      const engine = lab.engine(name);
      for (const world of worlds) await make(engine, world);
      for (const asker of ["asker", "alone"] as const) {
        const told = async (): Promise<readonly (readonly string[])[]> =>
          Promise.all(worlds.map((world) => namesSeen(engine, world, asker)));
        // Both learn of a change by and by.
        await until(`${name}: both to say the same`, 3_000, async () => {
          const [docker, ours] = await told();
          // Or nothing of IPv6 has been compared.
          if (asker === "asker") assert.ok(docker?.some((line) => line.includes("@back/6")));
          return JSON.stringify(docker) === JSON.stringify(ours) ? true : undefined;
        }).catch(async () => {
          const [docker, ours] = await told();
          assert.deepEqual(ours, docker);
        });
      }
    });
  }

  it("says at once that nobody has a name of one label", async () => {
    const engine = lab.engine(name);
    const script =
      "for i in $(seq 20); do dig +tries=1 +time=5 nobody$i | sed -n 's/.*Query time: //p'; done";
    const times = (await succeeds(engine, "guard-asker", "bash", "-c", script))
      .trim()
      .split("\n")
      .map((line) => Number.parseInt(line, 10));
    assert.equal(times.length, 20);
    // The machine is a busy one; a reading of the engine for each would take a second.
    assert.ok((times.toSorted((a, b) => a - b)[15] ?? 0) < 200, `${times}`);
  });

  for (const proxy of [true, false]) {
    it(`lets the same in by published ports, ${proxy ? "with" : "without"} the userland proxy`, async () => {
      const engine = lab.engine(name);
      if (!proxy) {
        await engine.restart({ "userland-proxy": false });
        await startAgain(engine);
        await enforcing(engine);
      }
      for (const mode of modesOf(name)) {
        const differing = async (): Promise<readonly string[]> => {
          const [docker = [], ours] = await Promise.all(
            worlds.map((world) => reachedIn(lab, engine, world, mode)),
          );
          assert.ok(docker.length > 0);
          return docker.flatMap((line, index) =>
            line === ours?.[index] || isClosedByDesign(mode, line, ours?.[index] ?? "")
              ? []
              : [`${mode}: ${line}, ours ${ours?.[index]}`],
          );
        };
        // A server that was just started, or a busy machine, may not answer in time.
        await until(`${name}: both to let the same in`, 20_000, async () =>
          (await differing()).length === 0 ? true : undefined,
        ).catch(async () => assert.deepEqual(await differing(), []));
      }
    });
  }

  it("has lived through it", async () => {
    const report = await status(lab.engine(name));
    assert.equal(report.state, "enforcing");
    assert.equal(report.capture.problem, undefined);
    if (name === "e28")
      assert.ok(report.warnings.some((warning) => /guard-unprotected.*nat-unprotected/.test(warning)));
    await run(lab.engine(name), "version");
  });
}
