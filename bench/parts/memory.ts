// Resident memory of the whole daemon: idle, with 100,000 live grants, and, in another one, after a million different
// names.

import { setTimeout as pause } from "node:timers/promises";
import { setNames } from "../../src/core/firewall/names.ts";
import { enterNamespaces, run } from "../../test/support/namespace.ts";
import { buildHost, guarded } from "../host.ts";
import { startProduct } from "../product.ts";
import { build, start, told } from "../programs.ts";
import { finish, isLong } from "../result.ts";

enterNamespaces(import.meta.url);

const upstreamPort = 5400;
const grants = Number(process.env["BENCH_GRANTS"] ?? 100_000);
const names = Number(process.env["BENCH_NAMES"] ?? 1_000_000);
/** At most, for the names: a busy machine takes longer than a short run may. */
const patienceMs = isLong ? 900_000 : 150_000;
/** How long a daemon idles before it counts as idle. */
const idleMs = isLong ? 60_000 : 10_000;
/** An asker may hold rights to 8,192 addresses. */
const grantsPerAsker = 8_000;

interface Answered {
  readonly answers: number;
  readonly addressed: number;
}

const generator = build("generator");
const host = await buildHost();
const askers = Math.ceil(grants / grantsPerAsker);
host.add([guarded(0, "*.bench.example *.own.example:443", askers)]);
start("taskset", "-c", "1", build("responder"), String(upstreamPort), "4096");

const entriesOf = (set: string): number =>
  Number(/entries: (\d+)/.exec(run("ipset", "list", "-t", set))?.[1]);

/** Asks for new names from a container until `enough`, and returns how many were answered with an address. */
async function ask(box: string, suffix: string, enough: (answered: number) => boolean): Promise<number> {
  let answered = 0;
  for (const endsAtMs = performance.now() + patienceMs; performance.now() < endsAtMs && !enough(answered); )
    answered += (await told<Answered>(box, generator, "127.0.0.11", 53, 1, 100, 1_000, suffix, "fresh"))
      .addressed;
  return answered;
}

const first = await startProduct(host.engine.socket);
await pause(idleMs);
const idle = first.residentMb();
for (let asker = 0; asker < askers; asker++)
  await ask(
    `g0-${asker}`,
    "own.example",
    () => entriesOf(setNames.grant4) >= Math.min(grants, (asker + 1) * grantsPerAsker),
  );
const granted = entriesOf(setNames.grant4);
const withGrants = first.residentMb();
await first.end();
run("ipset", "flush", setNames.grant4);

const second = await startProduct(host.engine.socket);
const looked = await ask("g0-0", "bench.example", (answered) => answered >= names);
const afterNames = second.residentMb();
await pause(idleMs);
const afterRest = second.residentMb();
await second.end();

finish({
  figures: { idleMb: idle, grantsMb: withGrants, namesMb: afterNames, granted, looked },
  tables: [
    {
      title: "Resident memory of the daemon, both of its threads",
      head: ["", "MB"],
      rows: [
        ["idle", idle.toFixed(0)],
        [`with ${granted} live grants`, withGrants.toFixed(0)],
        [`after ${looked} different names`, afterNames.toFixed(0)],
        [`and ${idleMs / 1000} s later`, afterRest.toFixed(0)],
      ],
    },
  ],
  notes: [`Different names looked up: ${looked}; the goal names 1,000,000.`],
  rounds: { counted: 0, dropped: 0, isNoisy: false },
});
