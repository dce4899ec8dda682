// One project twice, on unguarded networks and on guarded ones, and what a program in it learns of names from the C
// library and from the resolver.

import { client, network, run, succeeds } from "../../support/dockerwall.ts";
import type { Engine } from "../../support/lab/engine.ts";

export const worlds = ["plain", "guard"] as const;
export type World = (typeof worlds)[number];

const image = "busybox:lab";

/** Names of containers and networks begin with that of the world, and of no other. */
export async function stageProject(engine: Engine, world: World): Promise<void> {
  const allow = world === "guard" ? "*.example.com" : undefined;
  await network(engine, `${world}-front`, allow);
  await network(engine, `${world}-back`, allow, "--ipv6", "--subnet", subnet6(engine, world));
  await network(engine, `${world}-inner`, allow, "--internal");
  await start(engine, world, "db@back", "--network-alias", "store", "--hostname", "Bar");
  await start(engine, world, "cache@inner", "--hostname", "cache.example.org");
  for (const replica of ["web-1", "web-2"]) await start(engine, world, `${replica}@front`, ...compose("web"));
  await run(engine, "network", "connect", "--alias", "store", `${world}-front`, `${world}-db`);
  await run(engine, "network", "connect", "--alias", "memory", `${world}-back`, `${world}-cache`);
  const links = ["--link", `${world}-db:database`];
  const search = ["--dns-search", `${world}-back`, "--dns-search", "example.com", "--dns-opt", "ndots:2"];
  await client(engine, `${world}-asker`, `${world}-back`, ...links, ...search);
  await run(engine, "network", "connect", `${world}-front`, `${world}-asker`);
  await client(engine, `${world}-alone`, `${world}-inner`);
}

/** Apart from those of the servers that are reached: see ports.ts. */
function subnet6({ link }: Engine, world: World): string {
  return link.prefix6.replace("00::/40", `0${worlds.indexOf(world) + 1}::/64`);
}

/** As Compose starts a service's container. */
function compose(service: string): readonly string[] {
  const labels = [
    "--label",
    "com.docker.compose.project=p",
    "--label",
    `com.docker.compose.service=${service}`,
  ];
  return ["--network-alias", service, ...labels];
}

/** @param place `NAME@NETWORK` */
async function start(engine: Engine, world: World, place: string, ...options: string[]): Promise<void> {
  const [name, on] = place.split("@").map((word) => `${world}-${word}`);
  await run(engine, "run", "-d", "--name", name ?? "", "--network", on ?? "", ...options, image);
}

/** What changes a project while it runs, in order. */
export const changes: readonly {
  readonly what: string;
  readonly make: (engine: Engine, world: World) => Promise<unknown>;
}[] = [
  { what: "is up", make: () => Promise.resolve() },
  {
    what: "prefers another gateway",
    make: async (engine, world) => {
      // Older engines know no such preference.
      if (engine.kind !== "e28") return;
      await run(engine, "network", "disconnect", `${world}-front`, `${world}-asker`);
      await run(engine, "network", "connect", "--gw-priority", "10", `${world}-front`, `${world}-asker`);
    },
  },
  {
    what: "has been scaled up",
    make: (engine, world) => start(engine, world, "web-3@front", ...compose("web")),
  },
  { what: "has been scaled down", make: (engine, world) => run(engine, "rm", "-f", `${world}-web-1`) },
  { what: "was restarted", make: (engine, world) => run(engine, "restart", "-t", "0", `${world}-db`) },
  {
    what: "had a container renamed",
    make: (engine, world) => run(engine, "rename", `${world}-db`, `${world}-sql`),
  },
  {
    what: "had one taken off a network",
    make: (engine, world) => run(engine, "network", "disconnect", `${world}-front`, `${world}-sql`),
  },
  {
    what: "had one stopped",
    make: (engine, world) => run(engine, "stop", "-t", "0", `${world}-web-2`),
  },
  {
    what: "had one made anew",
    make: async (engine, world) => {
      await run(engine, "rm", "-f", `${world}-cache`);
      await start(engine, world, "cache@inner", "--hostname", "bar");
    },
  },
];

/**
 * `%` stands for the world and a hyphen, `{NAME}` for the short id of a container. Not localhost, which we answer
 * (RFC 6761 6.3), where Docker asks upstream.
 */
const names = [
  ...[
    "%db",
    "%sql",
    "%DB",
    "db",
    "store",
    "store.%front",
    "store.%back",
    "%db.%back",
    "bar",
    "BAR",
    "bar.%back",
  ],
  ...["web", "WEB", "web.%front", "web.%back", "%web-1", "%web-2", "%web-3", "{web-2}", "{db}", "{db}.%back"],
  ...["%cache", "memory", "cache.example.org", "cache", "%cache.%inner", "%cache.%back", "database"],
  ...["nobody", "nobody.%back", "%back"],
];
const outsideNames = ["www", "www.example.com", "alias.example.com"];
/**
 * On an internal network. There 20.10 asks for names from outside, which we do not, and does not answer at all about a
 * name that nobody has: so few of either are asked for.
 */
const innerNames = [
  "%cache",
  "bar",
  "cache.example.org",
  "{cache}",
  "%cache.%inner",
  "%alone",
  "memory",
  "%db",
];

/**
 * What an asker of the world learns: a line for each name from getaddrinfo() of either family, and one for each type of
 * address from the resolver, asked as it is and with search domains; then one for each address. Addresses stand as their
 * owners, those of IPv6 with `/6` behind them.
 */
export async function namesSeen(
  engine: Engine,
  world: World,
  asker: "asker" | "alone",
): Promise<readonly string[]> {
  const seen = await inspect(engine, world);
  const named = asker === "alone" ? innerNames : names;
  const outside = asker === "alone" && engine.kind === "e20" ? [] : outsideNames;
  const asked = [...named, ...outside].map((name) =>
    name
      .replaceAll("%", `${world}-`)
      .replaceAll(/\{([^}]+)\}/g, (_, of: string) => seen.shortIds.get(of) ?? "none"),
  );
  const script = `export RES_OPTIONS="timeout:1 attempts:1"
dig() { command dig +tries=1 +time=1 "$@" | grep -v "^;;"; }
for n in ${asked.join(" ")}; do
  echo "$n" $(getent ahosts "$n" | cut -d' ' -f1 | sort -u)
  for t in A AAAA; do
    echo "$n $t" $(dig +short "$n" $t | sort) / $(dig +short +search "$n" $t | sort)
  done
done
for a in ${[...seen.places.keys()].join(" ")}; do echo "$a" $(dig +short -x "$a") $(getent hosts "$a"); done`;
  const output = await succeeds(engine, `${world}-${asker}`, "bash", "-c", script);
  return output
    .trim()
    .split("\n")
    .map((line) =>
      line
        .split(" ")
        .map(
          (word) =>
            seen.places.get(word) ?? word.replaceAll(/[0-9a-f]{12}/g, (id) => seen.named.get(id) ?? id),
        )
        .join(" ")
        .replaceAll(`${world}-`, ""),
    );
}

interface Seen {
  /** Address to `CONTAINER@NETWORK`, and of IPv6 to `CONTAINER@NETWORK/6`. */
  readonly places: ReadonlyMap<string, string>;
  readonly shortIds: ReadonlyMap<string, string>;
  readonly named: ReadonlyMap<string, string>;
}

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly NetworkSettings: {
    /** Either is empty where there is none. */
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>
    >;
  };
}

async function inspect(engine: Engine, world: World): Promise<Seen> {
  const ids = (await run(engine, "ps", "-aq", "--filter", `name=^${world}-`)).split("\n");
  const all = (JSON.parse(await run(engine, "inspect", ...ids)) as readonly Inspected[]).toSorted((a, b) =>
    a.Name < b.Name ? -1 : 1,
  );
  const bare = ({ Name }: Inspected): string => Name.slice(world.length + 2);
  return {
    places: new Map(
      all.flatMap((each) =>
        Object.entries(each.NetworkSettings.Networks)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .flatMap(([on, { IPAddress, GlobalIPv6Address }]): [string, string][] => [
            [IPAddress, `${bare(each)}@${on}`],
            [GlobalIPv6Address, `${bare(each)}@${on}/6`],
          ])
          .filter(([address]) => address !== ""),
      ),
    ),
    shortIds: new Map(all.map((each) => [bare(each), each.Id.slice(0, 12)])),
    named: new Map(all.map((each) => [each.Id.slice(0, 12), `{${bare(each)}}`])),
  };
}
