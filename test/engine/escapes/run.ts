// One run of the table: every attempt of a round of containers, and what was seen of each afterwards.

import { long } from "../../support/chosen.ts";
import type { Lab } from "../../support/lab/lab.ts";
import type { Packet } from "../../support/lab/pcap.ts";
import type { Query } from "../../support/lab/queries.ts";
import type { Stage } from "./stage.ts";
import { type Attacker, attackers, type Observer, type Row, watchers } from "./table.ts";

/** Default capabilities or NET_ADMIN too; a row is in the rounds that its container is in. */
export type Round = "default" | "admin";

/** What a row of a run is known by: in payloads, by its source port, by its destination. */
export interface Marks {
  readonly token: string;
  readonly sport: number;
  readonly to: string;
  readonly to6: string;
}

export function marksOf(stage: Stage, runNumber: number, row: number): Marks {
  return {
    token: `e${stage.index}r${runNumber}x${row}z`,
    sport: 16_000 + runNumber * 400 + row,
    to: `198.18.${160 + runNumber * 2 + Math.floor(row / 200)}.${1 + (row % 200)}`,
    to6: `2001:db8:b::${runNumber + 1}:${(row + 1).toString(16)}`,
  };
}

const adminOnly = ["flusher", "mangler", "mover"];
const inBoth = ["probe", "four", "ula", "six", "two"];

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

/** Makes the attempts of a round, all at once; returns the tokens that had a reply, and what went wrong. */
export async function makeAttempts(options: {
  readonly lab: Lab;
  readonly stage: Stage;
  readonly rows: readonly Row[];
  readonly runNumber: number;
  readonly round: Round;
}): Promise<Broken & { readonly replies: ReadonlySet<string> }> {
  const { lab, stage, rows, runNumber, round } = options;
  const { engine } = stage;
  const replies = new Set<string>();
  const raised = new Map<Row, string>();
  const crashed: string[] = [];
  const facts = await stage.readFacts();
  const granted = round === "default" ? "198.51.100.24" : "198.51.100.25";
  const byContainer = Map.groupBy(
    rows.map((row, index) => ({ row, marks: marksOf(stage, runNumber, index) })),
    ({ row }) => containerOf(stage, row, round),
  );

  async function fromBash(given: Given, place: "host" | "internet"): Promise<void> {
    for (const { row, marks } of given) {
      const variables = Object.entries({ ...facts("guarded"), token: marks.token });
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
    const attempts = given.map(({ row, marks }) => ({ ...marks, code: row.attempt }));
    const outcome = await engine.dockerWith(
      {
        input: JSON.stringify({ facts: { ...facts(networkOf(container)), granted }, attempts }),
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
  /^(203\.0\.113\.|198\.51\.100\.|198\.18\.1[67]\d\.|198\.18\.\d+\.1$|2001:db8:[12b]:|2001:db8:f\d+::1$)/;

/** What was seen, by observer and mark. */
export class Sightings {
  readonly #seen = new Map<string, string[]>();

  /** One line for each packet that was seen of a row. */
  of(observer: Observer, marks: Marks): readonly string[] {
    const keys = [marks.token, `:${marks.sport}`, marks.to, marks.to6];
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
      const marked = /^(198\.18\.1[67]\d\.|2001:db8:b::)/.test(dst) ? [dst] : [];
      const what = `${proto} ${src}:${sport} > ${dst}:${dport}`;
      this.#see("wire", [...tokensIn(payload.toString("latin1")), ...marked, ...portMark(sport)], what);
    }
  }

  addQueries(queries: readonly Query[]): void {
    for (const { name, from, to, type } of queries)
      this.#see("lookups", tokensIn(name), `${from} asks ${to}: ${name} ${type}`);
  }

  addReplies(tokens: Iterable<string>): void {
    for (const token of tokens) this.#see("reply", [token], "a reply");
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
      // ICMP errors quote what they are about.
      if (proto === 1 && text.startsWith("\u0003")) continue;
      this.#see(observer, [...tokensIn(text), ...portMark(sport)], line);
    }
  }
}

function tokensIn(text: string): string[] {
  return text.match(/e\d+r\d+x\d+z/g) ?? [];
}

function portMark(sport: number | undefined): string[] {
  return sport !== undefined && sport >= 16_000 && sport < 18_000 ? [`:${sport}`] : [];
}

/** Everything that the watchers of an engine have seen so far. */
export async function readWatchers(stage: Stage, sightings: Sightings): Promise<void> {
  for (const name of ["host", ...watchers] as const) {
    const { stdout } = await stage.engine.docker("logs", name);
    sightings.addWatched(name, stdout);
  }
}
