// One run of the table: every attempt of a round of containers, and what was seen of each afterwards.

import { readFile } from "node:fs/promises";
import { long } from "../../support/chosen.ts";
import { internetAddresses as internet } from "../../support/lab/addresses.ts";
import type { Lab } from "../../support/lab/lab.ts";
import type { Packet } from "../../support/lab/pcap.ts";
import type { Query } from "../../support/lab/queries.ts";
import { type Stage, victims } from "./stage.ts";
import {
  type Attacker,
  adminOnly,
  attackers,
  inBoth,
  type Observer,
  type Round,
  type Row,
  watchers,
} from "./table.ts";

/** Rows that are tried at once; each has marks of its own. */
export interface Run {
  readonly number: number;
  readonly round: Round;
  readonly rows: readonly Row[];
  /** How many attempts runs before it made. */
  readonly first: number;
  /** How often each attempt is made. */
  readonly times?: number;
}

/** What an attempt of a run is known by: in payloads, by its source port, by its destination, by what it claims. */
export interface Marks {
  readonly token: string;
  readonly sport: number;
  readonly to: string;
  readonly to6: string;
  readonly mac: string;
  readonly prefix: string;
}

export function marksOf(stage: Stage, run: Run, row: Row): Marks {
  const index = run.rows.indexOf(row);
  const all = run.first + index;
  const byte = (value: number): string => (value & 0xff).toString(16).padStart(2, "0");
  return {
    token: `e${stage.index}r${run.number}x${index}z`,
    sport: 16_000 + all,
    to: `198.18.${160 + Math.floor(all / 200)}.${1 + (all % 200)}`,
    to6: `2001:db8:b::${run.number + 1}:${(index + 1).toString(16)}`,
    mac: `02:e5:00:${byte(stage.index)}:${byte(all >> 8)}:${byte(all)}`,
    prefix: `2001:db8:a00${stage.index}:${(all + 1).toString(16)}`,
  };
}

/** The container that makes a row's attempt in a round; undefined where the row is not in it. */
export function containerOf(stage: Stage, row: Row, round: Round): string | undefined {
  const { from = "probe" } = row;
  if (from === "host" || from === "internet") return round === "default" ? from : undefined;
  if (!(attackers[from].network in stage.networks)) return undefined;
  if (adminOnly.includes(from)) return round === "admin" ? from : undefined;
  if (round === "default") return from;
  return inBoth.includes(from) ? `${from}-admin` : undefined;
}

/** Asks until there is an answer: a server may be slow to come up. */
const request = `
request() { for n in 1 2 3 4 5; do ask "$@" && return; sleep 0.5; done; }
ask() { timeout 3 bash -c 'exec 3<>/dev/tcp/$0/$1 && printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && head -n 1 <&3 | grep HTTP' "$@"; }
`;

/** What went wrong in a round. An attempt that broke off has sent nothing, and would read as one that was stopped. */
export interface Broken {
  /** By row, what an attempt raised. */
  readonly raised: ReadonlyMap<Row, string>;
  /** What a container said whose attempts did not come to their end. */
  readonly crashed: readonly string[];
}

/** Makes the attempts of a run, all at once; returns the tokens that had a reply, and what went wrong. */
export async function makeAttempts(
  lab: Lab,
  stage: Stage,
  { run, flow }: { readonly run: Run; readonly flow: number },
): Promise<Broken & { readonly replies: ReadonlySet<string> }> {
  const { engine } = stage;
  const { round, times = 1 } = run;
  const replies = new Set<string>();
  const raised = new Map<Row, string>();
  const crashed: string[] = [];
  const facts = await stage.readFacts();
  const byContainer = Map.groupBy(
    run.rows.map((row) => ({ row, marks: marksOf(stage, run, row) })),
    ({ row }) => containerOf(stage, row, round),
  );

  async function fromBash(given: Given, place: "host" | "internet"): Promise<void> {
    for (const { row, marks } of given) {
      const variables = Object.entries({ ...facts("guarded", round), token: marks.token });
      const argv = [
        "env",
        ...variables.map(([key, value]) => `${key}=${value}`),
        "timeout",
        "5",
        "bash",
        "-c",
      ];
      const command = [...argv, request + row.attempt];
      const { stdout } = place === "host" ? await engine.exec(...command) : await lab.internet.exec(command);
      if (stdout.includes("200")) replies.add(marks.token);
    }
  }

  async function fromContainer(given: Given, container: string): Promise<void> {
    const attempts = given.map(({ row, marks }) => ({ ...marks, code: row.attempt, times }));
    const outcome = await engine.dockerWith(
      {
        input: JSON.stringify({
          facts: { ...facts(networkOf(container), round), flow: String(flow) },
          attempts,
        }),
        timeoutMs: long ? 600_000 : 180_000,
      },
      ...["exec", "-i", container, "python3", "/escapes/attack.py"],
    );
    if (outcome.exitCode !== 0)
      crashed.push(`${container} ended with ${outcome.exitCode}: ${outcome.stderr}`);
    for (const line of outcome.stdout.split("\n")) {
      const [word, token = "", ...error] = line.split(" ");
      const row = given.find(({ marks }) => marks.token === token)?.row;
      if (word === "reply") replies.add(token);
      else if (word === "raised" && row !== undefined) raised.set(row, `${row.name}: ${error.join(" ")}`);
    }
  }

  const work = [...byContainer].map(async ([container, given]) => {
    if (container === "host" || container === "internet") await fromBash(given, container);
    else if (container !== undefined) await fromContainer(given, container);
  });
  await Promise.all(work);
  return { replies, raised, crashed };
}

type Given = readonly { readonly row: Row; readonly marks: Marks }[];

function networkOf(container: string): string {
  return attackers[container.replace("-admin", "") as Attacker].network;
}

const ofInternet =
  /^(203\.0\.113\.|198\.51\.100\.|198\.18\.1[6-9]\d\.|198\.18\.\d+\.1$|2001:db8:[12b]:|2001:db8:f\d+::1$)/;

/** What was seen, by observer and mark. */
export class Sightings {
  readonly #seen = new Map<string, string[]>();

  /** One line for each packet that was seen of a row. */
  of(observer: Observer, marks: Marks): readonly string[] {
    const keys = [marks.token, `:${marks.sport}`, marks.to, marks.to6, marks.mac, marks.prefix];
    return keys.flatMap((key) => this.#seen.get(`${observer} ${key}`) ?? []);
  }

  /** Notes a packet under the most telling of its marks only, so that it does not count twice. */
  #see(observer: Observer, keys: readonly string[], what: string): void {
    const key = `${observer} ${keys[0]}`;
    const lines = this.#seen.get(key) ?? [];
    lines.push(what);
    this.#seen.set(key, lines);
  }

  addPackets(packets: readonly Packet[]): void {
    for (const { dst, src, proto, sport, dport, payload } of packets) {
      // Answers of the internet quote what was sent, and come from any port that was asked.
      if (ofInternet.test(src)) continue;
      const marked = /^(198\.18\.1[6-9]\d\.|2001:db8:b::)/.test(dst) ? [dst] : [];
      const what = `${proto} ${src}:${sport} > ${dst}:${dport}`;
      // The daemon asks its own upstream from ports at random, and so from a row's now and then. What a row asks there
      // has its token.
      const ofChance = dport === 53 && (dst === internet.resolver || dst === internet.resolver6);
      const ports = ofChance ? [] : portMark(sport);
      this.#see("wire", [...tokensIn(payload.toString("latin1")), ...marked, ...ports], what);
    }
  }

  addQueries(queries: readonly Query[]): void {
    for (const { name, from, to, type } of queries)
      this.#see("lookups", tokensIn(name), `${from} asks ${to}: ${name} ${type}`);
  }

  addReplies(tokens: Iterable<string>): void {
    for (const token of tokens) this.#see("reply", [token], "a reply");
  }

  /** What a kernel believes: its addresses and neighbours, as ip(8) shows them. */
  addTables(observer: Observer, shown: string): void {
    for (const line of shown.split("\n"))
      for (const mark of line.match(/02:e5:00(:[0-9a-f]{2}){3}|2001:db8:a00\d:[0-9a-f]+(?=:)/g) ?? [])
        this.#see(observer, [mark], line.trim());
  }

  /** What watch.py wrote. */
  addWatched(observer: Observer, log: string): void {
    for (const line of log.split("\n")) {
      if (!line.startsWith("{")) continue;
      const {
        text = "",
        sport,
        proto,
      } = JSON.parse(line) as { text?: string; sport?: number; proto?: number };
      // Errors of a kernel quote what they are about.
      if (proto === 1 && text.startsWith("\u0003")) continue;
      this.#see(observer, [...tokensIn(text), ...portMark(sport)], line);
    }
  }
}

function tokensIn(text: string): string[] {
  return text.match(/e\d+r\d+x\d+z/g) ?? [];
}

function portMark(sport: number | undefined): string[] {
  return sport !== undefined && sport >= 16_000 && sport < 24_000 ? [`:${sport}`] : [];
}

/** Everything that the watchers of an engine have seen so far, and what kernels have come to believe. */
export async function readWatchers(stage: Stage, sightings: Sightings): Promise<void> {
  const { engine } = stage;
  for (const name of ["host", ...watchers, "victim-admin"] as const) {
    const { stdout } = await engine.docker("logs", name);
    sightings.addWatched(name === "victim-admin" ? "victim" : name, stdout);
  }
  sightings.addTables("host's tables", await readFile(stage.monitorLog, "utf8"));
  for (const victim of victims)
    sightings.addTables(
      "victim's tables",
      (await engine.docker("exec", victim, "cat", "/tmp/monitor")).stdout,
    );
}
