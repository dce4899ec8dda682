// The escape suite. Every way out is tried twice from containers on guarded networks: before Dockerwall is deployed,
// when their labels mean nothing, and with it in force. What counts is what is seen on the far side: on the uplink,
// at sockets of the host and of other containers, at the servers of the internet. The matrix in docs/security.md is
// written from these runs (UPDATE_DOCS=1), and compared with them otherwise.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../../support/chosen.ts";
import { deploy, succeeds } from "../../support/dockerwall.ts";
import { localRanges, localRanges6 } from "../../support/lab/addresses.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { fromOutside, spoofed, toContainers, toHost } from "./inward.ts";
import { broughtAlong, hostByIpv6, outByIpv6 } from "./ipv6.ts";
import { kept, stated } from "./kept.ts";
import { type Cell, readMatrix, renderCell, renderMatrix, type State, writeMatrix } from "./matrix.ts";
import { grants, resolvers, shapes, straightOut } from "./outward.ts";
import {
  type Broken,
  containerOf,
  makeAttempts,
  marksOf,
  type Round,
  readWatchers,
  Sightings,
} from "./run.ts";
import { attack, buildStage, held, join } from "./stage.ts";
import type { Claim, Row, Section } from "./table.ts";
import { startTunnelServers, tryTunnels, tunnels } from "./tunnels.ts";

const attempted: readonly Section[] = [
  ...[straightOut, shapes, resolvers, grants, spoofed, toHost, toContainers, fromOutside],
  ...[outByIpv6, hostByIpv6, broughtAlong, kept, stated],
];
const rows: readonly Row[] = attempted.flatMap((section) => section.rows);
const sections: readonly Section<Claim>[] = [
  ...attempted.slice(0, -2),
  held,
  tunnels,
  ...attempted.slice(-2),
];

const all = [
  { kind: "e20", name: "e20", column: "20.10 nft" },
  { kind: "e20", name: "e20l", column: "20.10 legacy", iptables: "legacy" },
  { kind: "e26", name: "e26", column: "26.1 nft" },
  { kind: "e26", name: "e26l", column: "26.1 legacy", iptables: "legacy" },
  { kind: "e28", name: "e28", column: "28.5 nft" },
  { kind: "e28", name: "e28l", column: "28.5 legacy", iptables: "legacy" },
] as const;
const engines = chosen(all, "ESCAPES");
/** For work on a row: ESCAPES=e28 runs that engine alone, compares nothing with the others, and prints what it sees. */
const partial = engines.length < all.length;

/** What a claim came to on one engine: with default capabilities, with NET_ADMIN. */
type Cells = readonly [Cell | undefined, Cell | undefined];
/** By engine. */
const results = new Map(engines.map(({ name }) => [name as string, new Map<Claim, Cells>()]));
/** By engine, what was seen with Dockerwall in force. */
const evidence = new Map(engines.map(({ name }) => [name as string, new Map<Claim, readonly string[]>()]));
/** By engine, what went wrong in each run. */
const broken = new Map(engines.map(({ name }) => [name as string, [] as Broken[]]));

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
  await startTunnelServers(lab);
});
after(async () => {
  await lab?.down();
});

// More at once take turns anyway, and a capture that is not served in time loses packets.
describe("escapes", { concurrency: 3 }, () => {
  for (const [index, { name }] of engines.entries()) {
    describe(name, { concurrency: 1 }, () => {
      before(async () => await tryAll(name, index + 1));
      it("makes every attempt with Dockerwall in force that it made before", () => madeAlike(name));
      for (const section of sections) {
        describe(section.title, () => {
          for (const claim of section.rows) it(claim.name, () => judge(name, claim));
        });
      }
    });
  }
});

/** Tries everything on an engine before Dockerwall and with it, and notes what was seen. */
async function tryAll(name: string, index: number): Promise<void> {
  const engine = lab.engine(name);
  const notes: unknown[] = [];
  let since = Date.now();
  const note = (what: string): void => {
    notes.push(`${what}: ${((Date.now() - since) / 1000).toFixed(1)} s`);
    since = Date.now();
  };
  const stage = await buildStage(engine, index);
  note("stage");
  // Answers of the internet are most of the packets, and prove nothing.
  const answers = [...localRanges, ...localRanges6].map((range) => `src net ${range}`);
  const capture = await lab.capture(name, `not (${answers.join(" or ")})`, 2048);
  const sightings = new Sightings();
  const round = async (runNumber: number, which: Round): Promise<void> => {
    await succeeds(engine, "neighbour", "getent", "ahosts", "allowed.example.com");
    const { replies, ...wrong } = await makeAttempts({ lab, stage, rows, runNumber, round: which });
    sightings.addReplies(replies);
    broken.get(name)?.push(wrong);
    notes.push(...[...wrong.raised.values(), ...wrong.crashed].map((line) => `run ${runNumber}: ${line}`));
    note(`run ${runNumber}`);
  };
  const roundsWithTunnels = async (first: number): ReturnType<typeof tryTunnels> => {
    const trying = tryTunnels(engine);
    await round(first, "default");
    await round(first + 1, "admin");
    const tried = await trying;
    note("tunnels");
    return tried;
  };
  const tunnelsBefore = await roundsWithTunnels(0);
  const deployedAt = new Date();
  await deploy(engine);
  await attack(engine, stage.networks, "probe", "flusher", "mangler", "mover");
  const enforcedAt = new Date();
  note("deployed");
  const joiningAt = new Date();
  await join(stage);
  const joinedAt = new Date();
  note("joined");
  const tunnelsGuarded = await roundsWithTunnels(2);
  const packets = await capture.stop();
  sightings.addPackets(packets);
  const queries = await lab.internet.queries();
  sightings.addQueries(queries);
  await readWatchers(stage, sightings);
  note("read");

  const found = results.get(name);
  const cellOf = (before: boolean, guarded: boolean): Cell => ({
    before: before ? "open" : "closed",
    guarded: guarded ? "open" : "closed",
  });
  for (const [number, row] of rows.entries()) {
    const cell = (round: Round, first: number): Cell | undefined => {
      if (containerOf(stage, row, round) === undefined) return undefined;
      const state = (runNumber: number): State => {
        const marks = marksOf(stage, runNumber, number);
        const lines = row.seen.flatMap((observer) => sightings.of(observer, marks));
        const count = lines.length;
        if (runNumber >= 2 && count > 0) evidence.get(name)?.set(row, lines.slice(0, 3));
        if (count === 0) return "closed";
        return count >= (row.least ?? 1) ? "open" : `partly (${count})`;
      };
      return { before: state(first), guarded: state(first + 2) };
    };
    found?.set(row, [cell("default", 0), cell("admin", 1)]);
  }
  for (const row of held.rows) {
    const sent = packets.filter(({ dst }) => dst === row.to);
    const [openUntil, closedFrom] = {
      enforced: [deployedAt, enforcedAt],
      joined: [joiningAt, joinedAt],
    }[row.until] as [Date, Date];
    const before = sent.some(({ time }) => time < openUntil);
    const guarded = sent.some(({ time }) => time > closedFrom);
    found?.set(row, [cellOf(before, guarded), undefined]);
  }
  for (const row of tunnels.rows) {
    const own: readonly string[] = [engine.link.host, engine.link.host6];
    const asked = queries.filter((query) => query.name.endsWith(row.domain) && own.includes(query.from));
    const cell =
      row.what === "asked"
        ? cellOf(
            asked.some(({ time }) => time < deployedAt),
            asked.some(({ time }) => time > enforcedAt),
          )
        : cellOf(tunnelsBefore.get(row.domain)?.up === true, tunnelsGuarded.get(row.domain)?.up === true);
    found?.set(row, [undefined, cell]);
  }
  if (partial) console.log(notes.join("\n"), tunnelsGuarded);
}

/** An attempt that breaks off only with Dockerwall in force proves nothing, and neither does a container that crashes. */
function madeAlike(name: string): void {
  const runs = broken.get(name) ?? [];
  assert.equal(runs.length, 4);
  assert.deepEqual(
    runs.flatMap(({ crashed }) => crashed),
    [],
  );
  for (const first of [0, 1]) {
    const [before, guarded] = [runs[first], runs[first + 2]];
    const only = [...(guarded?.raised ?? [])].filter(([row]) => before?.raised.has(row) !== true);
    assert.deepEqual(
      only.map(([, line]) => line),
      [],
    );
  }
}

function judge(name: string, claim: Claim): void {
  const cells = results.get(name)?.get(claim);
  assert.ok(cells !== undefined, "it was not tried");
  const [byDefault, withAdmin] = cells;
  const { guarded = "closed", closedAnyway } = claim;
  const text = [renderCell(byDefault, withAdmin), ...(evidence.get(name)?.get(claim) ?? [])].join("\n");
  const fits = (cell: Cell | undefined, state: State): boolean =>
    cell === undefined || cell.guarded === state;
  assert.ok(fits(byDefault, guarded === "open" ? "open" : "closed"), text);
  assert.ok(fits(withAdmin, guarded === "closed" ? "closed" : "open"), text);
  // Or it could not fail.
  const before = closedAnyway === undefined ? "open" : "closed";
  for (const cell of cells) assert.ok(cell === undefined || cell.before === before, text);
}

describe("the matrix", { skip: partial }, () => {
  it("is what docs/security.md says", async () => {
    const matrix = renderMatrix(
      engines.map(({ column }) => column),
      sections.map(({ title, rows: claims }) => ({
        title,
        lines: claims.map((claim) => ({
          name: claim.closedAnyway === undefined ? claim.name : `${claim.name} (${claim.closedAnyway})`,
          cells: engines.map(({ name }) =>
            renderCell(...(results.get(name)?.get(claim) ?? [undefined, undefined])),
          ),
        })),
      })),
    );
    if (process.env["UPDATE_DOCS"] === "1") await writeMatrix(matrix);
    assert.equal(await readMatrix(), matrix.trim());
  });
});
