// What `suggest` prints works: random needs of one container or of several are seen in audit mode, by both families, the
// labels are put as printed on a new network that is enforced and on its containers, and all of the needs are met there;
// without any of the lines, something is not. Twice the same is printed.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { SuggestReport } from "../../src/core/model/report/suggest.ts";
import { chosen, long, printRow } from "../support/chosen.ts";
import { client, curl, deploy, inside, network, run, stats, succeeds, wall } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { type Random, seeded } from "../support/seeded.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const seeds = long ? [1, 2, 3, 4, 5, 6] : [Number(process.env["DOCKERWALL_SEED"] ?? 1)];
/** Lines that are left out, one at a time. */
const linesTried = long ? Number.POSITIVE_INFINITY : 5;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: engines.map((kind) => ({ kind, ipv6: true })), product: true });
  // Servers at private addresses, somewhere behind the host.
  for (const address of ["10.0.0.1", "fd00::1"])
    await lab.internet.exec(["ip", "route", "add", "local", address, "dev", "lo"]);
});
after(async () => {
  await lab?.down();
});

describe("suggest", { concurrency: true }, () => {
  for (const name of engines)
    describe(name, { concurrency: 1 }, () => {
      before(() => prepare(lab.engine(name)));
      afterEach(() => removeAll(lab.engine(name)));
      for (const seed of seeds)
        it(`what was seen works with the labels that it prints (seed ${seed})`, () =>
          roundTrip(lab.engine(name), seed));
      it("a container that has an address after another one has nothing of its history", () =>
        passesOn(lab.engine(name)));
      it("what a guarded container is denied on an open network shows, and is suggested", () =>
        isDeniedElsewhere(lab.engine(name)));
    });
});

/** Something that a container needs, as a command that fails where it is not met. */
type Need = readonly string[];

const lookUp = (type: string, name: string): Need => [
  "sh",
  "-c",
  `dig +short +time=4 +tries=1 ${type} ${name} | grep -q .`,
];

/** Each has an address of its own: which of two names a connection was for cannot be told. One is a chain of aliases. */
const names = ["www", "api", "v4only", "v6only", "shared-a", "chain", "aa.wild", "deep.er.down"];
const ports = ["http://NAME:80/", "http://NAME:8080/", "https://NAME:443/", "https://NAME:8443/"];

/** All kinds of needs, of each as many as chance will have. */
function needsOf(random: Random, { link }: Engine): Need[] {
  const some = <T>(from: readonly T[], most: number): T[] =>
    from
      .map((each) => [random(1_000), each] as const)
      .toSorted(([a], [b]) => a - b)
      .slice(0, 1 + random(most))
      .map(([, each]) => each);
  const web = some(names, 5).flatMap((name) =>
    some(ports, 2).map((url) => curl("--insecure", url.replace("NAME", `${name}.example.com`))),
  );
  return [
    ...web,
    ...some(["198.51.100.10", "203.0.113.77", "[2001:db8:1::15]", "[2001:db8:2::10]"], 3).map((address) =>
      curl(`http://${address}:8080/`),
    ),
    ...some(["_dmarc.example.com", "example.com"], 2).map((name) => lookUp("TXT", name)),
    ...some(["_service._tcp.example.com"], 1).map((name) => lookUp("SRV", name)),
    ...some(
      [
        `hairpin${link.host.split(".")[2]}.example.com:8099`,
        "private10.example.com:8080",
        "unique6.example.com:8080",
      ],
      2,
    ).map((leads) => curl(`http://${leads}/`)),
    ...some([gateway, `[${gateway6(link)}]`], 1).map((host) => curl(`http://${host}:8099/`)),
  ];
}

/** The daemon, and a service of the host. */
async function prepare(engine: Engine): Promise<void> {
  const serve = ["python3", "-m", "http.server", "--bind", "::", "8099"];
  await run(engine, "run", "-d", "--name", "service", "--network", "host", "client:lab", ...serve);
  await deploy(engine);
}

interface Printed {
  readonly network: readonly string[];
  /** Of each container, by its role. */
  readonly own: Readonly<Partial<Record<Role, readonly string[]>>>;
  readonly types: string;
}

/** The idle one needs nothing, so that nothing is common to all. */
type Role = "web" | "job" | "idle";

/** By the seed, from 1. */
const casts: readonly (readonly Role[])[] = [
  ["web", "job"],
  ["web"],
  ["web", "job", "idle"],
  ["web", "idle"],
];

async function suggestion(engine: Engine, on: string): Promise<Printed> {
  const { stdout, stderr } = await wall(engine, "suggest", on, "--json");
  const report = JSON.parse(stdout || stderr) as SuggestReport;
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
  return {
    network: [...words(report.present), ...report.added],
    own: Object.fromEntries(
      report.containers.map(({ name, present, added }) => [
        name.replace(/-.*/, ""),
        [...words(present), ...added],
      ]),
    ),
    types: [...words(report.types.present), ...report.types.added].join(" "),
  };
}

/** The same for each of them, as the address of its gateway is among the needs: some engines give each new one another. */
const subnetsOf = ({ link }: Engine): string[] => [
  ...["--subnet", "198.19.76.0/24", "--ipv6", "--subnet", link.prefix6.replace("00::/40", "76::/64")],
  ...["--gateway", gateway, "--gateway", gateway6(link)],
];
const gateway = "198.19.76.1";
const gateway6 = ({ prefix6 }: Engine["link"]): string => prefix6.replace("00::/40", "76::1");

/** A new network with these labels, and its containers with theirs. */
async function put(
  engine: Engine,
  {
    name,
    cast,
    printed,
  }: { readonly name: string; readonly cast: readonly Role[]; readonly printed: Printed },
  ...labels: string[]
): Promise<void> {
  const types = printed.types === "" ? [] : ["--label", `dockerwall.types=${printed.types}`];
  await network(engine, name, printed.network.join(" "), ...subnetsOf(engine), ...types, ...labels);
  for (const role of cast) {
    const own = printed.own[role] ?? [];
    const label = own.length === 0 ? [] : ["--label", `dockerwall.allow=${own.join(" ")}`];
    await client(engine, `${role}-${name}`, name, ...label);
  }
}

/** What each of them needs. */
type Needs = ReadonlyMap<Role, readonly Need[]>;

/** Of all containers on a network. */
async function unmetOn(engine: Engine, name: string, needs: Needs): Promise<readonly Need[]> {
  const found = await Promise.all([...needs].map(([role, its]) => unmet(engine, `${role}-${name}`, its)));
  return found.flat();
}

async function unmet(engine: Engine, container: string, needs: readonly Need[]): Promise<readonly Need[]> {
  const outcomes = await Promise.all(needs.map((need) => inside(engine, container, ...need)));
  return needs.filter((_, index) => outcomes[index]?.exitCode !== 0);
}

async function remove(engine: Engine, name: string): Promise<void> {
  const { stdout } = await engine.docker("ps", "-aq", "--filter", `network=${name}`);
  for (const id of stdout.split("\n").filter(Boolean)) await run(engine, "rm", "-f", id);
  await run(engine, "network", "rm", name);
}

/** Of a test that has failed there is something left, which the next one would stumble over. */
async function removeAll(engine: Engine): Promise<void> {
  const all = await run(engine, "network", "ls", "--filter", "driver=bridge", "--format", "{{.Name}}");
  for (const name of all.split("\n").filter((each) => each !== "bridge")) await remove(engine, name);
}

async function roundTrip(engine: Engine, seed: number): Promise<void> {
  const cast = casts[(seed - 1) % casts.length] ?? [];
  const nothing: Printed = { network: [], own: {}, types: "" };
  await put(engine, { name: "seen", cast, printed: nothing }, "--label", "dockerwall.mode=audit");
  const needs: Needs = new Map(
    cast
      .filter((role) => role !== "idle")
      .map((role, at) => [role, needsOf(seeded(seed + at * 500), engine)]),
  );
  assert.deepEqual(await unmetOn(engine, "seen", needs), [], "in audit mode");
  const printed = await suggestion(engine, "seen");
  assert.deepEqual(await suggestion(engine, "seen"), printed, "twice the same");
  const text = JSON.stringify(printed);
  await remove(engine, "seen");

  await put(engine, { name: "pasted", cast, printed });
  assert.deepEqual(await unmetOn(engine, "pasted", needs), [], text);
  assert.deepEqual(await suggestion(engine, "pasted"), printed, "again after it was pasted");
  await remove(engine, "pasted");

  const lines = linesOf(printed);
  const random = seeded(seed + 1_000);
  const start = random(Math.max(1, lines.length));
  const tried = lines.filter((_, index) => (index - start + lines.length) % lines.length < linesTried);
  for (const line of tried) {
    await put(engine, { name: "less", cast: [...needs.keys()], printed: without(printed, line) });
    const [role, entry] = line;
    assert.notDeepEqual(await unmetOn(engine, "less", needs), [], `without ${entry} of ${role} of ${text}`);
    await remove(engine, "less");
  }
  printRow(
    engine.name,
    `seed ${seed}`,
    `${[...needs.values()].flat().length} needs of ${needs.size}`,
    `${lines.length} lines`,
    `${tried.length} tried`,
  );
}

/** A line of a label, and whose it is: undefined for the network's. */
type Line = readonly [role: Role | undefined, entry: string];

function linesOf({ network: entries, own }: Printed): readonly Line[] {
  return [
    ...entries.map((entry): Line => [undefined, entry]),
    ...(Object.entries(own) as [Role, readonly string[]][]).flatMap(([role, its]) =>
      its.map((entry): Line => [role, entry]),
    ),
  ];
}

function without(printed: Printed, [role, entry]: Line): Printed {
  const less = (entries: readonly string[]): string[] => entries.filter((each) => each !== entry);
  if (role === undefined) return { ...printed, network: less(printed.network) };
  return { ...printed, own: { ...printed.own, [role]: less(printed.own[role] ?? []) } };
}

async function passesOn(engine: Engine): Promise<void> {
  await network(engine, "handed", "www.example.com", "--subnet", "198.19.77.0/24");
  const at = ["--ip", "198.19.77.7"];
  await client(engine, "first", "handed", ...at);
  await inside(engine, "first", ...curl("http://203.0.113.77:8080/"));
  await inside(engine, "first", ...curl("http://denied.example.com/"));
  const rows = async (): Promise<string[]> => {
    const found = (await stats(engine)).networks.find((entry) => entry.network === "handed");
    return [
      ...(found?.lookups ?? []).map(({ container, gone, domain }) => `${container} ${gone} ${domain}`),
      ...(found?.drops ?? []).map(({ container, gone, service }) => `${container} ${gone} ${service}`),
    ];
  };
  await until("its rows", 10_000, async () => ((await rows()).length === 2 ? true : undefined));
  await run(engine, "rm", "-f", "first");
  // At once, and again with the name of the first one.
  await client(engine, "second", "handed", ...at);
  const gone = ["first true denied.example.com", "first true tcp:8080"];
  assert.deepEqual(await rows(), gone);
  await succeeds(engine, "second", ...curl("http://www.example.com/"));
  await run(engine, "rm", "-f", "second");
  await client(engine, "first", "handed", ...at);
  await run(engine, "restart", "dockerwall");
  await until("the daemon", 30_000, async () =>
    (await wall(engine, "status")).exitCode === 0 ? true : undefined,
  );
  assert.deepEqual(await rows(), [gone[0], "second true www.example.com", gone[1]]);
  const { stdout } = await wall(engine, "suggest", "handed", "--json");
  assert.deepEqual((JSON.parse(stdout) as SuggestReport).added, []);
  const { stdout: all } = await wall(engine, "suggest", "handed", "--gone", "--json");
  assert.match(all, /203\.0\.113\.77:8080\/tcp/);
  await remove(engine, "handed");
  await network(engine, "handed", "www.example.com", "--subnet", "198.19.77.0/24");
  await client(engine, "third", "handed", ...at);
  assert.deepEqual(await rows(), []);
  await remove(engine, "handed");
}

async function isDeniedElsewhere(engine: Engine): Promise<void> {
  await network(engine, "kept", "");
  // The engine has containers send by the first of their networks, by name.
  await network(engine, "free", undefined, "--subnet", "198.19.78.0/24");
  await client(engine, "both", "kept");
  await run(engine, "network", "connect", "free", "both");
  const need = curl("http://203.0.113.77:8080/");
  assert.deepEqual(await unmet(engine, "both", [need]), [need]);
  const drops = (await stats(engine)).networks.find((entry) => entry.network === "kept")?.drops ?? [];
  assert.deepEqual(
    drops.map(({ address, container, service }) => [address.startsWith("198.19.78."), container, service]),
    [[true, "both", "tcp:8080"]],
  );
  const { network: entries } = await suggestion(engine, "kept");
  assert.deepEqual(entries, ["203.0.113.77:8080/tcp"]);
  await run(engine, "exec", "dockerwall", "dockerwall", "allow", "kept", ...entries);
  assert.deepEqual(await unmet(engine, "both", [need]), []);
  assert.deepEqual((await suggestion(engine, "kept")).network, entries);
  await run(engine, "exec", "dockerwall", "dockerwall", "allow", "kept", ...entries, "--undo");
  await remove(engine, "kept");
  await run(engine, "network", "rm", "free");
}
