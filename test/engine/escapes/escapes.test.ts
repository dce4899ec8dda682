// The escape suite. Every way out is tried twice from containers on guarded networks: before Dockerwall is deployed,
// when their labels mean nothing, and with it in force. What counts is what is seen on the far side: on the uplink,
// at sockets of the host and of other containers, at the servers of the internet. The matrix in docs/security.md is
// written from these runs (UPDATE_DOCS=1), and compared with them otherwise.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../../support/chosen.ts";
import { deploy } from "../../support/dockerwall.ts";
import { localRanges, localRanges6 } from "../../support/lab/addresses.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { ally, orderPort, startAccomplice } from "./accomplice.ts";
import { type Condition, conditions } from "./conditions.ts";
import { elsewhere } from "./elsewhere.ts";
import { encapsulated } from "./encapsulated.ts";
import { errors } from "./errors.ts";
import { expected as expectedFlows } from "./expected.ts";
import { holdFlows, portsOfFlows } from "./flows.ts";
import { hairpins } from "./hairpins.ts";
import { handshakes } from "./handshakes.ts";
import { fromOutside, spoofed, toContainers, toHost } from "./inward.ts";
import { broughtAlong, hostByIpv6, outByIpv6 } from "./ipv6.ts";
import { kept, stated } from "./kept.ts";
import { link } from "./link.ts";
import {
  type Cell,
  readKept,
  readMatrix,
  renderCell,
  renderMatrix,
  type State,
  writeMatrix,
} from "./matrix.ts";
import { grants, resolvers, shapes, straightOut } from "./outward.ts";
import { paused, prepareSleep, wasSeen } from "./paused.ts";
import { quarantined } from "./quarantined.ts";
import { rebound } from "./rebinding.ts";
import { type Broken, containerOf, makeAttempts, marksOf, type Run, readWatchers, Sightings } from "./run.ts";
import { second } from "./second.ts";
import {
  attack,
  buildStage,
  held,
  jailed,
  join,
  lookUp,
  prepareHeir,
  readCounted,
  type Stage,
  startAnew,
} from "./stage.ts";
import { started, takesAddresses } from "./started.ts";
import { inwardStates, states } from "./states.ts";
import type { Claim, Expected, Round, Row, Section } from "./table.ts";
import { startTunnelServers, tryTunnels, tunnels } from "./tunnels.ts";
import { unraw } from "./unraw.ts";

const attempted: readonly Section[] = [
  ...[straightOut, shapes, resolvers, grants, spoofed, toHost, toContainers, fromOutside],
  ...[
    outByIpv6,
    hostByIpv6,
    broughtAlong,
    states,
    inwardStates,
    errors,
    elsewhere,
    expectedFlows,
    handshakes,
    hairpins,
    rebound,
    encapsulated,
    second,
    link,
    quarantined,
    started,
    takesAddresses,
    unraw,
    kept,
    stated,
  ],
];
const rows: readonly Row[] = attempted.flatMap((section) => section.rows);
const sections: readonly Section<Claim>[] = [
  ...attempted.slice(0, -2),
  held,
  paused,
  tunnels,
  ...conditions,
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
/** ESCAPES=e28 runs that engine alone, writes or compares its column alone, and prints what it sees. */
const partial = engines.length < all.length;

/** What a claim came to on one engine: with default capabilities, with NET_ADMIN. */
type Cells = readonly [Cell | undefined, Cell | undefined];
/** By engine. */
const results = new Map(engines.map(({ name }) => [name as string, new Map<Claim, Cells>()]));
/** By engine, what was seen with Dockerwall in force. */
const evidence = new Map(engines.map(({ name }) => [name as string, new Map<Claim, readonly string[]>()]));
/** By engine and run, what went wrong. */
const broken = new Map(engines.map(({ name }) => [name as string, new Map<string, Broken>()]));

/** By engine, flows that attempts speak of and that were not there. */
const untracked = new Map(engines.map(({ name }) => [name as string, [] as string[]]));

const rounds = ["default", "admin"] as const;

/** By engine, who stands in the kernel's tables of denied packets and of rates, and who is to be found there. */
const counted = new Map<string, Awaited<ReturnType<typeof readCounted>>>();

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
  startTunnelServers(lab);
  await startAccomplice(lab);
});
after(async () => {
  await lab?.down();
});

// More at once take turns anyway, and a capture that is not served in time loses packets.
describe("escapes", { concurrency: 2 }, () => {
  for (const [index, { name }] of engines.entries()) {
    describe(name, { concurrency: 1 }, () => {
      before(async () => await tryAll(name, index + 1));
      it("makes every attempt with Dockerwall in force that it made before", () => madeAlike(name));
      it("has tracked every flow that an ICMP error quotes", () => {
        assert.deepEqual(untracked.get(name), []);
      });
      it("counts nobody in the kernel but who has an address", () => countsOwners(name));
      for (const section of sections) {
        describe(section.title, () => {
          for (const claim of section.rows) it(claim.name, () => judge(name, claim));
        });
      }
    });
  }
});

/** Before Dockerwall and with it, by condition; each was tried by default and, where a container has it, with NET_ADMIN. */
type When = "before" | "guarded" | `${"before " | ""}${Condition["condition"]}`;

/** The runs on one engine, and what was seen. */
class Trial {
  readonly sightings = new Sightings();
  readonly #runs = new Map<string, Run>();
  #attempts = 0;
  #flows = 0;
  readonly stage: Stage;
  readonly note: (what: string) => void;

  constructor(stage: Stage, note: (what: string) => void) {
    this.stage = stage;
    this.note = note;
  }

  /** Opens the flows that attempts speak of; returns the first port of theirs. */
  async hold(when: When): Promise<number> {
    const { name } = this.stage.engine;
    this.#flows += portsOfFlows;
    const base = 14_000 + this.stage.index * 200 + this.#flows;
    const awaited = when === "before" || when === "guarded" ? "all" : "the host's";
    // As long as a round takes on a busy machine; the kernel forgets those of SCTP first, within seconds.
    const missing = await holdFlows(lab, this.stage, { base, seconds: 120, awaited });
    untracked.get(name)?.push(...missing.map((what) => `${when}: ${what}`));
    this.note(`${when}: flows`);
    return base;
  }

  /** Makes the attempts of both rounds at the same time. */
  async make(when: When, tried: readonly Row[], flow: number, times = 1): Promise<void> {
    const { stage, sightings } = this;
    const runs = rounds.map((round): Run => {
      const run = { number: this.#runs.size, round, rows: tried, first: this.#attempts, times };
      this.#attempts += tried.length;
      this.#runs.set(`${when} ${round}`, run);
      return run;
    });
    const made = await Promise.all(runs.map((run) => makeAttempts(lab, stage, { run, flow })));
    for (const [index, outcome] of made.entries()) {
      sightings.addReplies(outcome.replies);
      broken.get(stage.engine.name)?.set(`${when} ${rounds[index]}`, outcome);
      for (const line of [...outcome.raised.values(), ...outcome.crashed]) this.note(`${when}: ${line}`);
    }
    this.note(when);
  }

  /** What came of a row; undefined where it was not tried. */
  state(when: When, round: Round, row: Row): State | undefined {
    const run = this.#runs.get(`${when} ${round}`);
    if (run === undefined || containerOf(this.stage, row, round) === undefined) return undefined;
    const count = this.seen(run, row).length;
    if (count === 0) return "closed";
    return count >= (row.least ?? 1) ? "open" : `partly (${count})`;
  }

  /** A few of the packets that show it. */
  evidence(when: When, row: Row): readonly string[] {
    const runs = [...this.#runs].filter(([title]) => title.startsWith(`${when} `));
    return runs.flatMap(([, run]) => this.seen(run, row).slice(0, 2));
  }

  private seen(run: Run, row: Row): readonly string[] {
    const marks = marksOf(this.stage, run, row);
    return row.seen.flatMap((observer) => this.sightings.of(observer, marks));
  }

  /** Notes both cells of a claim. */
  conclude(claim: Claim, row: Row, before: When, guarded: When): void {
    const { name } = this.stage.engine;
    const cell = (round: Round): Cell | undefined => {
      const [first, second] = [this.state(before, round, row), this.state(guarded, round, row)];
      return first === undefined || second === undefined ? undefined : { before: first, guarded: second };
    };
    results.get(name)?.set(claim, [cell("default"), cell("admin")]);
    evidence.get(name)?.set(claim, this.evidence(guarded, row));
  }
}

/** Tries everything on an engine before Dockerwall and with it, and notes what was seen. */
async function tryAll(name: string, index: number): Promise<void> {
  const engine = lab.engine(name);
  const notes: unknown[] = [];
  let since = Date.now();
  const note = (what: string): void => {
    notes.push(`${what}: ${((Date.now() - since) / 1000).toFixed(1)} s`);
    since = Date.now();
  };
  const stage = await buildStage(lab, engine, index);
  note("stage");
  // Answers of the internet are most of the packets, and prove nothing.
  const answers = [...localRanges, ...localRanges6].map((range) => `src net ${range}`);
  // An order to the accomplice is none either: masquerade may give it the port by which an attempt is told.
  const orders = `(dst host ${ally} and udp dst port ${orderPort})`;
  const capture = await lab.capture(name, `not (${[...answers, orders].join(" or ")})`, 2048);
  const trial = new Trial(stage, note);
  const newcomers = async (): Promise<void> => {
    await prepareHeir(stage);
    await startAnew(stage);
  };
  const everything = async (when: "before" | "guarded") => {
    await newcomers();
    await lookUp(stage);
    const flow = await trial.hold(when);
    // Before all the attempts, beside which its flows may not come up in time.
    const sleep = await prepareSleep(stage, when === "guarded");
    const beside = Promise.all([tryTunnels(lab, engine), sleep()]);
    await trial.make(when, rows, flow);
    const [tunnelled, slept] = await beside;
    note("tunnels and pause");
    return { tunnelled, slept };
  };
  const under = async (condition: Condition, when: When): Promise<void> => {
    // The daemon is dead before it starts, and grants nothing.
    if (condition.condition !== "starting") {
      await prepareHeir(stage);
      await lookUp(stage);
    }
    const leave = await condition.enter(engine);
    await startAnew(stage);
    const tried = condition.rows.map(({ row }) => row);
    await trial.make(when, tried, await trial.hold(when), condition.times);
    await leave();
    note(`after ${condition.condition}`);
  };
  const before = await everything("before");
  for (const condition of conditions)
    if (condition.ownControl) await under(condition, `before ${condition.condition}`);
  const deployedAt = new Date();
  await deploy(engine);
  await attack(engine, stage.networks, "probe", "flusher", "mangler", "mover");
  const enforcedAt = new Date();
  note("deployed");
  const joiningAt = new Date();
  await join(stage);
  const joinedAt = new Date();
  note("joined");
  for (const container of jailed) {
    const cut = await engine.docker("exec", "dockerwall", "dockerwall", "quarantine", container);
    // One with NET_ADMIN is cut off as well, with a warning.
    assert.equal(cut.exitCode, container.endsWith("-admin") ? 1 : 0, cut.stderr);
  }
  const guarded = await everything("guarded");
  counted.set(name, await readCounted(stage));
  for (const condition of conditions) await under(condition, condition.condition);
  const packets = await capture.stop();
  trial.sightings.addPackets(packets);
  const queries = await lab.internet.queries();
  trial.sightings.addQueries(queries);
  await readWatchers(stage, trial.sightings);
  note("read");

  const found = results.get(name);
  const cellOf = (before: boolean, guarded: boolean): Cell => ({
    before: before ? "open" : "closed",
    guarded: guarded ? "open" : "closed",
  });
  for (const row of rows) trial.conclude(row, row, "before", "guarded");
  for (const { condition, ownControl, rows: cases } of conditions)
    for (const claim of cases)
      trial.conclude(claim, claim.row, ownControl ? `before ${condition}` : "before", condition);
  for (const row of held.rows) {
    const sent = packets.filter(({ dst }) => dst === row.to);
    const [openUntil, closedFrom] = {
      enforced: [deployedAt, enforcedAt],
      joined: [joiningAt, joinedAt],
    }[row.until] as [Date, Date];
    const cell = cellOf(
      sent.some(({ time }) => time < openUntil),
      sent.some(({ time }) => time > closedFrom),
    );
    found?.set(row, [cell, undefined]);
  }
  for (const row of paused.rows) {
    const cell = cellOf(wasSeen(row, packets, before.slept), wasSeen(row, packets, guarded.slept));
    found?.set(row, [cell, undefined]);
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
        : cellOf(
            before.tunnelled.get(row.domain)?.up === true,
            guarded.tunnelled.get(row.domain)?.up === true,
          );
    found?.set(row, [undefined, cell]);
  }
  if (partial) console.log(notes.join("\n"), guarded.tunnelled);
}

/** An attempt that breaks off only with Dockerwall in force proves nothing, and neither does a container that crashes. */
function madeAlike(name: string): void {
  const runs = broken.get(name) ?? new Map<string, Broken>();
  const crashed = [...runs].flatMap(([title, outcome]) => outcome.crashed.map((line) => `${title}: ${line}`));
  assert.deepEqual(crashed, []);
  const own = conditions.filter(({ ownControl }) => ownControl).map(({ condition }) => condition);
  for (const round of rounds) {
    for (const when of ["guarded", ...conditions.map(({ condition }) => condition)] as const) {
      const control: When = own.some((condition) => condition === when)
        ? `before ${when as "unfiltered"}`
        : "before";
      const [before, guarded] = [runs.get(`${control} ${round}`), runs.get(`${when} ${round}`)];
      assert.ok(before !== undefined && guarded !== undefined, `${when} ${round} was not tried`);
      const only = [...guarded.raised].filter(([row]) => !before.raised.has(row));
      assert.deepEqual(
        only.map(([, line]) => `${when} ${round}: ${line}`),
        [],
      );
    }
  }
}

/** Under an address of another or of nobody, nothing reaches a table that all share. */
function countsOwners(name: string): void {
  const { shown, own, forged } = counted.get(name) ?? { shown: "", own: [], forged: [] };
  const standing = (address: string): boolean => shown.includes(address);
  assert.deepEqual(own.filter(standing), own);
  assert.deepEqual(forged.filter(standing), []);
}

function expected(name: string, { guarded = "closed" }: Claim): Expected {
  if (typeof guarded === "string") return guarded;
  return guarded[lab.engine(name).kind];
}

function judge(name: string, claim: Claim): void {
  const cells = results.get(name)?.get(claim);
  assert.ok(cells !== undefined, "it was not tried");
  const [byDefault, withAdmin] = cells;
  const { closedAnyway } = claim;
  const guarded = expected(name, claim);
  const text = [renderCell(byDefault, withAdmin), ...(evidence.get(name)?.get(claim) ?? [])].join("\n");
  const fits = (cell: Cell | undefined, state: State): boolean =>
    cell === undefined || cell.guarded === state;
  assert.ok(fits(byDefault, guarded === "open" ? "open" : "closed"), text);
  assert.ok(fits(withAdmin, guarded === "closed" ? "closed" : "open"), text);
  // Or it could not fail.
  const before = closedAnyway === undefined ? "open" : "closed";
  for (const cell of cells)
    assert.ok(cell === undefined || cell.before === before || isKernels(claim, cell), text);
}

/** The kernel itself let nothing out, where some do. */
function isKernels({ dependsOnKernel }: Claim, cell: Cell | undefined): boolean {
  return dependsOnKernel === true && cell?.before === "closed";
}

describe("the matrix", () => {
  it("is what docs/security.md says", async () => {
    const kept = await readKept();
    const matrix = renderMatrix(
      all.map(({ column }) => column),
      sections.map(({ title, rows: claims }) => ({
        title,
        lines: claims.map((claim) => {
          const name =
            claim.closedAnyway === undefined ? claim.name : `${claim.name} (${claim.closedAnyway})`;
          const cells = all.map((engine) => {
            const found = results.get(engine.name)?.get(claim);
            if (!results.has(engine.name) || found?.some((cell) => isKernels(claim, cell)))
              return kept(title, name, engine.column) ?? "not tried";
            return renderCell(...(found ?? [undefined, undefined]));
          });
          return { name, cells };
        }),
      })),
    );
    if (process.env["UPDATE_DOCS"] === "1") await writeMatrix(matrix);
    assert.equal(await readMatrix(), matrix.trim());
  });
});
