// A container's name from the moment that it is being started: what Docker's own resolver says of one on a plain
// network, and what we say of its like on a guarded one, asked every ten milliseconds all the while.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMessage } from "../../support/dns-bytes.ts";
import { inside, run } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";

const script = readFileSync(join(import.meta.dirname, "../../support/name-watch.cjs"), "utf8");

interface Watched {
  readonly asked: number;
  readonly first: { readonly askedMs: number; readonly answer: string } | undefined;
  readonly lastMissedMs: number;
  readonly missedAfterwards: number;
}

/**
 * @property answer rcode and records of the first answer that had any, the address by its name
 * @property firstMs when that was asked for, before (negative) or after `docker run` came back
 * @property lastMissedMs when a "no" was last asked for, by the same reckoning
 */
export interface Newcomer {
  readonly answer: readonly string[];
  readonly firstMs: number;
  readonly lastMissedMs: number;
  readonly missedAfterwards: number;
}

/** Starts one in the world whose networks and asker begin with this word. */
export async function watchNewcomer(
  engine: Engine,
  world: "plain" | "guard",
  alias: string,
): Promise<Newcomer> {
  const asker = `${world}-asker`;
  const container = `${world}-${alias}`;
  const askedFile = `/tmp/asked-${alias}`;
  const watching = run(engine, "exec", asker, "node", "-e", script, alias, askedFile);
  // It must have been asked for before there is anything to find.
  await until(`${asker} to ask`, 10_000, async () =>
    (await inside(engine, asker, "test", "-e", askedFile)).exitCode === 0 ? true : undefined,
  );
  const network = ["--network", `${world}-a`, "--network-alias", alias];
  await run(engine, "run", "-d", "--name", container, ...network, "busybox:lab");
  const returnedMs = Date.now();
  const { first, lastMissedMs, missedAfterwards } = JSON.parse(await watching) as Watched;
  assert.ok(first !== undefined, `${container} was never found`);
  const format = `{{(index .NetworkSettings.Networks "${world}-a").IPAddress}}`;
  const address = await run(engine, "inspect", "-f", format, container);
  const { rcode, answers } = decodeMessage(Buffer.from(first.answer, "hex"));
  return {
    answer: [rcode, ...answers.map((line) => line.replace(address, "its address"))],
    firstMs: first.askedMs - returnedMs,
    lastMissedMs: lastMissedMs - returnedMs,
    missedAfterwards,
  };
}
