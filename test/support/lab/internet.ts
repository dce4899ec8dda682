// The fake internet: one namespace with all its addresses, Knot, web, echo and evil servers, and a watch on every query.
import { readFileSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { internetAddresses, localRanges, localRanges6, ports } from "./addresses.ts";
import { type Box, openBox } from "./box.ts";
import { startCapture } from "./capture.ts";
import { certificates } from "./certificates.ts";
import { until } from "./command.ts";
import { type Query, queriesOf } from "./queries.ts";
import { repository } from "./repository.ts";
import { root } from "./roots.ts";
import type { Run } from "./run.ts";
import { writeKnotConfig } from "./zones.ts";

/** The fake internet of a run. */
export type Internet = {
  readonly box: Box;
  readonly netns: string;
  readonly addresses: typeof internetAddresses;
  /** Path of the authority's certificate that the HTTPS servers are signed by. */
  readonly authority: string;
  /** Every DNS query that has reached any server since the start, or since `forgetQueries`. */
  readonly queries: () => Promise<Query[]>;
  readonly forgetQueries: () => Promise<void>;
  /** Runs a command in the internet, e.g. to see what it can reach or to change a route. */
  readonly exec: Box["attempt"];
};

/** Addresses by route (a range is local as a whole), so that thousands of them cost nothing. */
async function assignAddresses(box: Box): Promise<void> {
  const batch = [
    "link set lo up",
    ...localRanges.map((range) => `route add local ${range} dev lo`),
    ...localRanges6.map((range) => `route add local ${range} dev lo`),
  ];
  // Binding to one IPv6 address of a local range counts as non-local; forwarding lets one engine's host reach another's.
  const settings = ["net/ipv6/ip_nonlocal_bind", "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
  const script = `ip -batch - && for s in ${settings.join(" ")}; do echo 1 > /proc/sys/$s; done`;
  await box.command(["sh", "-c", script], { input: `${batch.join("\n")}\n` });
}

async function startKnot(box: Box): Promise<void> {
  await mkdir(join(box.runFolder, "knot/db"), { recursive: true });
  await writeKnotConfig(join(box.runFolder, "knot"), "/run/knot");
  const knot = box.background("knot", ["knotd", "-c", "/run/knot/knot.conf"]);
  const log = (): string => readFileSync(knot.log, "utf8");
  const probe = ["bash", "-c", `exec 3<>/dev/tcp/${internetAddresses.resolver}/53`];
  await until(
    "start of Knot",
    30_000,
    async () => {
      if (!knot.alive()) throw new Error(`lab: Knot ended:\n${log()}`);
      return (await box.attempt(probe)).exitCode === 0 ? true : undefined;
    },
    log,
  );
}

async function startServers(box: Box): Promise<string> {
  const { authority, certificate, key } = await certificates(box);
  await copyFile(certificate, join(box.runFolder, "server.crt"));
  await copyFile(key, join(box.runFolder, "server.key"));
  const script = join(import.meta.dirname, "servers.ts");
  const servers = box.background("servers", [process.execPath, script, "/run/server.crt", "/run/server.key"]);
  const log = (): string => readFileSync(servers.log, "utf8");
  await until(
    "start of the servers",
    30_000,
    () => {
      if (!servers.alive()) throw new Error(`lab: servers ended:\n${log()}`);
      return log().includes("ready") ? true : undefined;
    },
    log,
  );
  return authority;
}

/** Brings the internet up. Links to it are made by the engines' hosts. */
export async function startInternet(run: Run): Promise<Internet> {
  const box = await openBox(run, {
    name: "net",
    root: await root("net"),
    network: "named",
    binds: [{ from: repository, to: repository }],
    files: { "etc/resolv.conf": "" },
  });
  await assignAddresses(box);
  const [authority, , capture] = await Promise.all([
    startServers(box),
    startKnot(box),
    startCapture(box, {
      name: "queries",
      device: "any",
      filter: "dst port 53 or dst port 5353 or dst port 853",
      markTo: internetAddresses.resolver,
    }),
  ]);
  let forgotten = 0;
  const packets = async () => (await capture.packets()).slice(forgotten);
  return {
    box,
    netns: box.netns,
    addresses: internetAddresses,
    authority,
    queries: async () => queriesOf(await packets(), [...ports.evilDns, 853]),
    forgetQueries: async () => {
      forgotten = (await capture.packets()).length;
    },
    exec: box.attempt,
  };
}
