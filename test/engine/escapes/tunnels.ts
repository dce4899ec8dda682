// Real tunnels through DNS, by iodine and dns2tcp, to a server in the internet: below a name that is denied, and below
// one that a wildcard allows. A tunnel is up when bytes went through it and came back.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../../support/lab/engine.ts";
import type { Lab } from "../../support/lab/lab.ts";
import type { Background } from "../../support/lab/run.ts";
import { delegations } from "../../support/lab/zones.ts";
import type { Claim, Section } from "./table.ts";

/** The denied one and the one below an allowed wildcard, of each program. */
const rowsOf = (program: "dns2tcp" | "iodine"): readonly TunnelRow[] =>
  delegations
    .filter(({ domain }) => domain.startsWith(program))
    .flatMap(({ domain }): TunnelRow[] => {
      const allowed = domain.endsWith(".tunnel.example.net");
      const below = `${program} below ${allowed ? "an allowed wildcard" : "a denied name"}`;
      // dns2tcp asks for TXT or KEY, which no wildcard serves; iodine gets by with addresses and aliases.
      const through = allowed && program === "iodine" ? ({ guarded: "open" } as const) : {};
      return [
        { name: `${below}: a question reaches its far end`, domain, what: "asked", ...through },
        { name: `${below}: bytes go there and back`, domain, what: "up", ...through },
      ];
    });

export interface TunnelRow extends Claim {
  readonly domain: string;
  readonly what: "asked" | "up";
}

export const tunnels: Section<TunnelRow> = {
  title: "Tunnels through DNS, with NET_ADMIN",
  rows: [...rowsOf("dns2tcp"), ...rowsOf("iodine")],
};

const password = "lab";

/** The delegated names that a program tunnels below. */
const tunnelled = delegations.filter(({ domain }) => /^(dns2tcp|iodine)\./.test(domain));

/** Starts the far ends of iodine; they last as long as the lab, and sleep. */
export function startTunnelServers({ internet: { box, addresses } }: Lab): void {
  for (const [index, { domain, port }] of tunnelled.entries()) {
    if (!domain.startsWith("iodine")) continue;
    const own = `10.5${index}.0.1/24`;
    const at = ["-l", addresses.tunnels, "-p", String(port)];
    box.background(`iodined-${port}`, ["iodined", "-f", "-c", "-P", password, ...at, own, domain]);
  }
}

/** dns2tcpd never sleeps: it runs while a client tries, on whatever engine. */
const awake = { users: 0, servers: Promise.resolve<readonly Background[]>([]) };

async function startDns2tcp({ internet: { box, addresses } }: Lab): Promise<readonly Background[]> {
  const starting = tunnelled.map(async ({ domain, port }) => {
    if (!domain.startsWith("dns2tcp")) return [];
    const file = `dns2tcpd-${port}.conf`;
    const lines = [
      ...[`listen = ${addresses.tunnels}`, `port = ${port}`, "user = root", "chroot = /run"],
      ...[`domain = ${domain}`, `key = ${password}`, "resources = echo:203.0.113.80:7"],
    ];
    await writeFile(join(box.runFolder, file), `${lines.join("\n")}\n`);
    const command = ["nice", "-n", "19", "dns2tcpd", "-F", "-d", "1", "-f", `/run/${file}`];
    return [box.background(`dns2tcpd-${port}`, command)];
  });
  return (await Promise.all(starting)).flat();
}

async function whileAwake<Result>(lab: Lab, work: () => Promise<Result>): Promise<Result> {
  awake.users += 1;
  if (awake.users === 1) awake.servers = startDns2tcp(lab);
  const servers = await awake.servers;
  try {
    return await work();
  } finally {
    awake.users -= 1;
    if (awake.users === 0) for (const { alive, pid } of servers) if (alive()) process.kill(pid, "SIGKILL");
  }
}

const dns2tcp = `
dns2tcpc -z $domain -k ${password} -r echo -l $port 127.0.0.11 &
client=$!
python3 - <<'END'
import os, socket, time
until = time.monotonic() + 20
while time.monotonic() < until:
    try:
        with socket.create_connection(("127.0.0.1", int(os.environ["port"])), 2) as s:
            s.settimeout(4)
            s.sendall(b"through the tunnel")
            if s.recv(64).startswith(b"through"):
                print("up")
                break
    except OSError:
        pass
    time.sleep(0.3)
END
kill $client
`;

const iodine = `
timeout 70 iodine -f -r -L0 -P ${password} -d $device 127.0.0.11 $domain &
client=$!
for n in $(seq 120); do
  kill -0 $client 2>/dev/null || break
  ping -c 1 -W 1 -I $device $peer >/dev/null 2>&1 && echo up && break
  sleep 0.5
done
kill $client 2>/dev/null
`;

/** Tries every tunnel from the container `tunneller`; the domains whose tunnel was up. */
export async function tryTunnels(
  lab: Lab,
  engine: Engine,
): Promise<ReadonlyMap<string, { up: boolean; said: string }>> {
  const tried = tunnelled.map(async ({ domain, port }, index) => {
    const variables = [`domain=${domain}`, `port=${port}`, `device=dns${index}`, `peer=10.5${index}.0.1`];
    const script = domain.startsWith("dns2tcp") ? dns2tcp : iodine;
    const variablesOf = variables.flatMap((variable) => ["-e", variable]);
    const attempt = async () => engine.docker("exec", ...variablesOf, "tunneller", "sh", "-c", script);
    const outcome = await (domain.startsWith("dns2tcp") ? whileAwake(lab, attempt) : attempt());
    return [
      domain,
      { up: /^up$/m.test(outcome.stdout), said: `${outcome.stdout}\n${outcome.stderr}` },
    ] as const;
  });
  return new Map(await Promise.all(tried));
}
