// Asks for predictions, sends, and compares.

import assert from "node:assert/strict";
import type { ExplainReport } from "../../../src/core/model/report/explain.ts";
import { printRow } from "../../support/chosen.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Random } from "../../support/seeded.ts";
import { askerOf, lookAround } from "./stage.ts";
import { addressTarget, nameTarget, renderTarget, type Target, targetFromHost } from "./targets.ts";
import type { Plan } from "./topology.ts";

/** Predictions for one topology, as far as they can be shared out. */
export const perTopology = 100;

/** A target, and what was predicted. */
interface Asked {
  readonly target: Target;
  readonly report: ExplainReport;
}

/** The same, and what became of the packet. */
interface Case extends Asked {
  readonly arrived: boolean;
}

/** @returns a line for each case in which both disagree */
export async function examine(
  engine: Engine,
  plan: Plan,
  random: Random,
  verdicts: Map<string, number>,
): Promise<string[]> {
  const around = await lookAround(engine, plan);
  const share = Math.floor(perTopology / plan.containers.length / 3);
  const all = plan.containers.map(({ name, shares, isOnHost }) => {
    const toAddress = isOnHost ? targetFromHost : addressTarget;
    // Addresses before and after names have opened some of them.
    const rounds = [toAddress, nameTarget, toAddress].map((make) =>
      Array.from({ length: share }, () => make(random, around, shares ?? name)),
    );
    return { name, shares, rounds };
  });
  const wrong: string[] = [];
  const examineOne = async ({ name, rounds }: (typeof all)[number]): Promise<void> => {
    for (const targets of rounds) {
      for (const each of await tryAll(engine, name, targets)) {
        const { verdict, step } = each.report;
        verdicts.set(`${verdict} ${step}`, (verdicts.get(`${verdict} ${step}`) ?? 0) + 1);
        if (!disagrees(each)) continue;
        wrong.push(lineOf(name, each));
        // A run is long: not only at its end.
        printRow(engine.name, lineOf(name, each));
      }
    }
  };
  // Who shares a network opens and is opened with the other one.
  for (const group of [
    all.filter(({ shares }) => shares === undefined),
    all.filter(({ shares }) => shares !== undefined),
  ])
    await Promise.all(group.map(examineOne));
  return wrong;
}

async function tryAll(engine: Engine, container: string, targets: readonly Target[]): Promise<Case[]> {
  const ask = await askerOf(engine);
  const asked: Asked[] = [];
  for (const target of targets)
    asked.push({ target, report: await ask("explain", { container, target: renderTarget(target) }) });
  const predicted = withoutOverlaps(asked);
  const first = await send(
    engine,
    container,
    predicted.map(({ target }) => target),
    1.5,
  );
  const cases = predicted.map((each, at): Case => ({ ...each, arrived: first[at] === "1" }));
  // On a busy machine a packet that passes may be late; one that is dropped never comes.
  const late = cases.filter((each) => disagrees(each) && !each.arrived);
  if (late.length === 0) return cases;
  const again = await send(
    engine,
    container,
    late.map(({ target }) => target),
    6,
  );
  return cases.map((each) => {
    const at = late.indexOf(each);
    return at < 0 ? each : { ...each, arrived: again[at] === "1" };
  });
}

/** A lookup opens an address for whatever its sender sends there at the same time: one name at a time leads to each. */
function withoutOverlaps(all: readonly Asked[]): readonly Asked[] {
  const taken = new Map<string, string>();
  return all.filter(({ target: { host }, report: { paths } }) => {
    const isFree = paths.every(({ destination }) => (taken.get(destination) ?? host) === host);
    if (isFree) for (const { destination } of paths) taken.set(destination, host);
    return isFree;
  });
}

/** Of each target in their order: 1 if the packet arrived, 0 if not. */
export async function send(
  engine: Engine,
  container: string,
  targets: readonly Target[],
  seconds: number,
): Promise<string> {
  const input = targets.map(({ protocol, host, port }) => `${protocol} ${host} ${port}`).join("\n");
  const outcome = await engine.dockerWith(
    { input },
    ...["exec", "-i", container, "python3", "/p/probe.py", String(seconds)],
  );
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  return outcome.stdout.trim();
}

/** Inside this host what is not ours may meet others' walls, and where nobody listens nothing answers. */
function disagrees({ target, report: { verdict }, arrived }: Case): boolean {
  if (verdict === "passes") return !arrived && target.answers;
  return verdict === "not-ours" ? !arrived && target.isOutside === true : arrived;
}

function lineOf(container: string, { target, report, arrived }: Case): string {
  const { verdict, step, paths, because } = report;
  const came = arrived ? "it arrived" : "it did not arrive";
  return `${container} → ${renderTarget(target)}: ${verdict} (${step}: ${because}), but ${came}; ${JSON.stringify(paths)}`;
}
