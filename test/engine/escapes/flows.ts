// Flows that attempts speak of: flows.py holds one of each protocol for each owner.

import { join } from "node:path";
import { run } from "../../support/dockerwall.ts";
import { pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Lab } from "../../support/lab/lab.ts";
import { repository } from "../../support/lab/repository.ts";
import { type Stage, victims } from "./stage.ts";

/** Where the host's own flows lead to. */
export const hostServers = { v4: "203.0.113.88", v6: "2001:db8:2::20" } as const;

/** As which attack.py knows them, and how they are told. */
export const protocols = [
  ["udp", "UDP"],
  ["tcp", "TCP"],
  ["echo", "echo"],
  ["sctp", "SCTP"],
  ["udplite", "UDP-Lite"],
  ["dccp", "DCCP"],
  ["gre", "GRE"],
  ["99", "IP protocol 99"],
] as const;

/** How many ports flows of one first port take, that of a client of a published port among them. */
export const portsOfFlows = 7;

/** What tracking knows them by: the protocol's number, and what it has of ports (see of_flow() in attack.py). */
const tracked = (base: number, v6: boolean): readonly (readonly [number, string])[] => [
  [17, `sport=${base} `],
  [6, `sport=${base + 1} `],
  [v6 ? 58 : 1, `id=${base + 2} `],
  [132, `sport=${base + 3} `],
  [136, `sport=${base + 5} `],
  ...[33, 47, 99].map((number) => [number, ""] as const),
];

/** Whose they are, and where they lead. */
const holders = [
  ["neighbour", "203.0.113.20", "2001:db8:1::14"],
  ["other", "203.0.113.90", "2001:db8:2::1d"],
  ["plain", "203.0.113.91", "2001:db8:2::1e"],
  ["host", hostServers.v4, hostServers.v6],
] as const;

interface Flows {
  readonly base: number;
  readonly seconds: number;
  /** Without the daemon, those of guarded containers may be denied. */
  readonly awaited: "all" | "the host's";
}

/** Opens them, and holds them for a while; returns which of those that are awaited are not tracked. */
export async function holdFlows(lab: Lab, stage: Stage, flows: Flows): Promise<readonly string[]> {
  const { engine, networks } = stage;
  const [base, seconds] = [String(flows.base), String(flows.seconds)];
  for (const [container, ...servers] of holders)
    await run(
      engine,
      ...["exec", "-d", container, "python3", "/escapes/flows.py", base, seconds, ...servers],
    );
  const { v4, v6 } = networks["guarded"] ?? {};
  // An entry that a forged advertisement can change; a kernel forgets those that are not in use.
  for (const victim of victims)
    await run(engine, "exec", "-d", victim, "timeout", seconds, "ping", "-i", "0.5", `${v6}10`);
  // What is meant for one neighbour, so that there is something to take.
  const say = `while sleep 0.1; do echo > /dev/udp/${v4}15/9; done`;
  engine.background(`for-taken-${base}`, ["timeout", seconds, "bash", "-c", say]);
  await fromInternet(lab, engine, flows);
  return await missing(engine, flows);
}

/** Those that reach the host, and one to what `published` publishes. */
async function fromInternet({ internet }: Lab, engine: Engine, { base, seconds }: Flows): Promise<void> {
  const { host, host6 } = engine.link;
  const script = join(repository, "test/engine/escapes/flows.py");
  internet.box.background(`to-${engine.name}-${base}`, [
    ...["python3", "-B", script, String(base), String(seconds), host, host6],
  ]);
  // Closed in order, so that the kernel remembers it for two minutes.
  const client = `for (const host of ["${host}", "${host6}"]) {
    const socket = require("node:net").connect({ host, port: 8092, localPort: ${base + 4} });
    socket.on("error", () => {}).on("connect", () => socket.end()).resume();
  }`;
  await internet.exec([process.execPath, "-e", client]);
}

/** An error about a flow that is not tracked is one about nothing: it is denied as such. */
async function missing(engine: Engine, { base, awaited }: Flows): Promise<readonly string[]> {
  const { host, host6 } = engine.link;
  const own = holders.filter(([owner]) => awaited === "all" || owner === "host");
  const servers = [...own.flatMap(([, ...addresses]) => addresses), host, host6];
  let found: readonly string[] = [];
  const look = async (): Promise<true | undefined> => {
    const lists = await Promise.all(
      ["ipv4", "ipv6"].map(async (family) => await engine.exec("conntrack", "-L", "-f", family)),
    );
    const lines = lists.flatMap(({ stdout }) => stdout.split("\n"));
    found = servers.flatMap((server) =>
      tracked(base, server.includes(":"))
        .filter(
          ([number, ports]) => !lines.some((line) => isOf(line, number, server) && line.includes(ports)),
        )
        .map(([number, ports]) => `protocol ${number} to ${server} ${ports}`),
    );
    if (found.length === 0) return true;
    // Each look is processes of its own, beside the flows that are to come up.
    await pause(200);
    return undefined;
  };
  // Which are missing says more than that it took too long.
  await until("the flows to be tracked", 20_000, look).catch(() => undefined);
  return found;
}

/** True for a line of conntrack(8) about a flow of the protocol that was opened to the server. */
function isOf(line: string, number: number, server: string): boolean {
  return line.split(/\s+/)[1] === String(number) && /dst=(\S+)/.exec(line)?.[1] === server;
}
