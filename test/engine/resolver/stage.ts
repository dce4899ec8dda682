// The same containers, under the same names, on a pair of plain networks and on a pair of guarded ones; and one
// asker on each pair, so that what Docker's resolver says and what we say can be laid side by side.

import dnsPacket from "dns-packet";
import { client, network, run } from "../../support/dockerwall.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { askRaw } from "../../support/raw-ask.ts";

/** The two worlds: names of networks and of the askers begin with these. */
const worlds = ["plain", "guard"] as const;
type World = (typeof worlds)[number];

export interface NameQuestion {
  /** `{a}` and `{b}` stand for the names of the two networks, `{id:NAME}` for a short id. */
  readonly name: string;
  readonly type: "A" | "AAAA" | "PTR" | "MX" | "TXT" | "SRV" | "HTTPS";
  /** For PTR, instead of a name: a container and the network that it is asked about on. */
  readonly addressOf?: { readonly container: string; readonly on: "a" | "b"; readonly family: 4 | 6 };
  readonly asker?: "asker" | "single" | "linked";
}

export interface Resident {
  readonly name: string;
  readonly on: readonly ("a" | "b")[];
  readonly aliases: readonly string[];
  readonly hostname?: string;
}

const residents: readonly Resident[] = [
  { name: "db", on: ["a"], aliases: ["store", "Data.Store"] },
  { name: "web1", on: ["a"], aliases: ["web"] },
  { name: "web2", on: ["a"], aliases: ["web"] },
  { name: "both", on: ["a", "b"], aliases: ["shared"] },
  { name: "back", on: ["b"], aliases: ["backend", "store"] },
  { name: "api.v1", on: ["a"], aliases: ["under_score"] },
  { name: "host1", on: ["a", "b"], aliases: ["hosts"], hostname: "Bar" },
  { name: "host2", on: ["b"], aliases: [], hostname: "bar" },
  { name: "host3", on: ["a"], aliases: [], hostname: "mail.example.org" },
];

/** Creates networks, residents and askers. */
export async function stageNames(engine: Engine): Promise<void> {
  const prefix = { e20: 1, e26: 2, e28: 3 }[engine.kind];
  await network(engine, "plain-a");
  await network(engine, "plain-b", undefined, "--ipv6", "--subnet", `fd5d:${prefix}:1::/64`);
  await network(engine, "guard-a", "*.example.com");
  await network(engine, "guard-b", "*.example.com", "--ipv6", "--subnet", `fd5d:${prefix}:2::/64`);
  await Promise.all([...residents.map((resident) => addResident(engine, resident)), ...askers(engine)]);
  await addResident(engine, { name: "stopped", on: ["a"], aliases: ["gone"] });
  await run(engine, "stop", "-t", "0", "stopped");
}

/** A container on the named networks of both worlds. */
export async function addResident(engine: Engine, { name, on, aliases, hostname }: Resident): Promise<void> {
  const [first, ...others] = on.flatMap((letter) => worlds.map((world) => `${world}-${letter}`));
  const alias = aliases.flatMap((text) => ["--network-alias", text]);
  const host = hostname === undefined ? [] : ["--hostname", hostname];
  await run(engine, "run", "-d", "--name", name, "--network", first ?? "", ...alias, ...host, "busybox:lab");
  const later = aliases.flatMap((text) => ["--alias", text]);
  for (const other of others) await run(engine, "network", "connect", ...later, other, name);
}

function askers(engine: Engine): Promise<void>[] {
  return worlds.map(async (world) => {
    await client(engine, `${world}-asker`, `${world}-a`, "--network-alias", "myself");
    await run(engine, "network", "connect", `${world}-b`, `${world}-asker`);
    await client(engine, `${world}-single`, `${world}-b`);
  });
}

/** One who was started with links; they must exist already. */
export async function addLinked(engine: Engine): Promise<void> {
  const links = ["--link", "db:database", "--link", "web1", "--link", "both:two-words"];
  for (const world of worlds) await client(engine, `${world}-linked`, `${world}-a`, ...links);
}

interface Seen {
  /** Address to `CONTAINER@NETWORK`, the world left out. */
  readonly places: ReadonlyMap<string, string>;
  /** `CONTAINER@NETWORK/FAMILY` to address. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly shortIds: ReadonlyMap<string, string>;
}

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>
    >;
  };
}

async function inspectAll(engine: Engine): Promise<Seen> {
  const ids = (await run(engine, "ps", "-aq")).split("\n");
  const all = JSON.parse(await run(engine, "inspect", ...ids)) as readonly Inspected[];
  const placed = all.flatMap(({ Name, NetworkSettings }) =>
    Object.entries(NetworkSettings.Networks).flatMap(([on, { IPAddress, GlobalIPv6Address }]) =>
      [IPAddress, GlobalIPv6Address]
        .filter((address) => address !== "")
        .map((address) => ({ address, place: `${Name.slice(1)}@${on}` })),
    ),
  );
  return {
    places: new Map(placed.map(({ address, place }) => [address, place.replaceAll(/plain-|guard-/g, "")])),
    addresses: new Map(
      placed.map(({ address, place }) => [`${place}/${address.includes(":") ? 6 : 4}`, address]),
    ),
    shortIds: new Map(all.map(({ Id, Name }) => [Name.slice(1), Id.slice(0, 12)])),
  };
}

/** What both said, one line for each thing that could differ. */
export interface Compared {
  readonly question: string;
  readonly docker: readonly string[];
  readonly ours: readonly string[];
}

const addressless = new Set(["TXT", "SRV", "HTTPS", "PTR"]);

/**
 * Where we differ on purpose: `localhost` is answered (RFC 6761 6.3), where Docker asks upstream; what a name of
 * Docker's own has of other types stays here as NODATA, where Docker passes it on and brings an NXDOMAIN back that
 * denies the name, or nothing for a PTR that is none; and the letter case of a link makes no difference.
 */
export function isJustified({ question, docker, ours }: Compared): boolean {
  if (JSON.stringify(docker) === JSON.stringify(ours)) return true;
  const [type = "", name = ""] = question.split(" ");
  if (!["NXDOMAIN", "silence"].includes(docker.join()) || ours[0] !== "NOERROR") return false;
  if (name === "localhost") return true;
  return name === "DATABASE" || (addressless.has(type) && ours.length === 1 && !name.startsWith("nobody"));
}

/** Asks all questions in both worlds. */
export async function compareNames(
  engine: Engine,
  questions: readonly NameQuestion[],
): Promise<readonly Compared[]> {
  const seen = await inspectAll(engine);
  const compared = questions.map((question) => ({
    question: `${question.type} ${question.addressOf === undefined ? question.name : JSON.stringify(question.addressOf)} by ${question.asker ?? "asker"}`,
    docker: [] as readonly string[],
    ours: [] as readonly string[],
  }));
  await Promise.all(
    worlds.flatMap((world) =>
      (["asker", "single", "linked"] as const).map(async (asker) => {
        const mine = questions.flatMap((question, index) =>
          (question.asker ?? "asker") === asker ? [{ question, index }] : [],
        );
        if (mine.length === 0) return;
        const asks = mine.map(({ question }) => ({
          transport: "udp" as const,
          message: queryFor(question, world, seen),
        }));
        const answers = await askRaw(engine, `${world}-${asker}`, asks);
        mine.forEach(({ index }, position) => {
          const entry = compared[index];
          const lines = essenceOf(answers[position], seen, world);
          if (entry !== undefined) entry[world === "plain" ? "docker" : "ours"] = lines;
        });
      }),
    ),
  );
  return compared;
}

function queryFor(question: NameQuestion, world: World, seen: Seen): Buffer {
  const { type, addressOf } = question;
  const name =
    addressOf === undefined
      ? question.name
          .replace("{a}", `${world}-a`)
          .replace("{b}", `${world}-b`)
          .replaceAll(/\{id:([^}]+)\}/g, (_, container: string) => seen.shortIds.get(container) ?? "")
      : reverseName(
          seen.addresses.get(`${addressOf.container}@${world}-${addressOf.on}/${addressOf.family}`) ?? "",
        );
  const flags = dnsPacket.RECURSION_DESIRED;
  // dns-packet does not know the type by its name.
  const typeName = (type === "HTTPS" ? "UNKNOWN_65" : type) as dnsPacket.RecordType;
  return dnsPacket.encode({ type: "query", id: 4242, flags, questions: [{ name, type: typeName }] });
}

function reverseName(address: string): string {
  if (!address.includes(":")) return `${address.split(".").reverse().join(".")}.in-addr.arpa`;
  const [head = "", tail = ""] = address.split("::");
  const before = head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  const digits = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join("");
  return `${[...digits].reverse().join(".")}.ip6.arpa`;
}

function essenceOf(answer: Buffer | undefined, seen: Seen, world: World): readonly string[] {
  if (answer === undefined) return ["silence"];
  const packet = dnsPacket.decode(answer) as dnsPacket.DecodedPacket & { readonly rcode: string };
  const records = (packet.answers ?? []).map((record) => {
    const { name, type, ttl, data } = record as { name: string; type: string; ttl?: number; data?: unknown };
    const text = typeof data === "string" ? (seen.places.get(data) ?? data) : JSON.stringify(data);
    const owner = type === "PTR" ? "(address)" : name;
    return `${owner} ${ttl} ${type} ${text}`
      .replaceAll(`${world}-`, "")
      .replaceAll(/[0-9a-f]{12}/g, (id) => nameOfId(seen, id));
  });
  return [packet.rcode, ...records.sort()];
}

function nameOfId(seen: Seen, id: string): string {
  for (const [name, shortId] of seen.shortIds)
    if (shortId === id) return `{id:${name.replaceAll(/plain-|guard-/g, "")}}`;
  return id;
}
