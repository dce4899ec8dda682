// Servers with published and with other ports on a network of each mode of gateway, and who reaches them.

import { client, curl, network, run } from "../../support/dockerwall.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Lab } from "../../support/lab/lab.ts";
import { type World, worlds } from "./names.ts";

/** Names of the networks, and the mode of their gateways; from 27 on an engine has more than the first. */
const modes = {
  nat: undefined,
  routed: "routed",
  unprotected: "nat-unprotected",
  // The host has no address there, so the engine takes it for internal networks only.
  isolated: "isolated",
} as const;
export type Mode = keyof typeof modes;

export function modesOf(engine: string): readonly Mode[] {
  return engine === "e28" ? ["nat", "routed", "unprotected", "isolated"] : ["nat"];
}

/** What a network is created with, so that its gateways are of the mode. */
function optionsOf(mode: Mode): readonly string[] {
  const value = modes[mode];
  if (value === undefined) return [];
  const both = [4, 6].flatMap((family) => [
    "-o",
    `com.docker.network.bridge.gateway_mode_ipv${family}=${value}`,
  ]);
  return mode === "isolated" ? ["--internal", ...both] : both;
}

/** Of the host, where port 8000 of each is published; 8001 of each is not. */
const hostPort = (world: World, mode: Mode): number =>
  8100 + 10 * Object.keys(modes).indexOf(mode) + worlds.indexOf(world);

const serve =
  "import http.server, socket, threading\nclass S(http.server.ThreadingHTTPServer):\n    address_family = socket.AF_INET6\nfor p in (8001, 8000):\n    t = threading.Thread(target=S(('::', p), http.server.SimpleHTTPRequestHandler).serve_forever); t.start()";

/** A subnet that the internet knows the way to; its second half-byte tells the network. */
function subnet6(engine: Engine, world: World, mode: Mode): string {
  const part = 16 + 4 * worlds.indexOf(world) + Object.keys(modes).indexOf(mode);
  return engine.link.prefix6.replace("00::/40", `${part.toString(16)}::/64`);
}

export async function stagePorts(engine: Engine, world: World): Promise<void> {
  for (const mode of modesOf(engine.kind)) {
    const name = `${world}-${mode}`;
    const port = hostPort(world, mode);
    const allow = world === "guard" ? `*.example.com host:${port}/tcp` : undefined;
    await network(
      engine,
      name,
      allow,
      "--ipv6",
      "--subnet",
      subnet6(engine, world, mode),
      ...optionsOf(mode),
    );
    const published = ["-p", `${port}:8000`];
    await run(
      engine,
      "run",
      "-d",
      "--name",
      `${name}-server`,
      "--network",
      name,
      ...published,
      "client:lab",
      "python3",
      "-c",
      serve,
    );
    await client(engine, `${name}-client`, name);
  }
  const allow = world === "guard" ? `host:${hostPort(world, "nat")}/tcp` : undefined;
  await network(engine, `${world}-far`, allow);
  await client(engine, `${world}-far-client`, `${world}-far`);
}

/** Everything that the engine stopped when it was restarted; Dockerwall first. */
export async function startAgain(engine: Engine): Promise<void> {
  await run(engine, "start", "dockerwall");
  const stopped = await run(
    engine,
    "ps",
    "-aq",
    "--filter",
    "status=exited",
    "--filter",
    "name=-(server|client)$",
  );
  await run(engine, "start", ...stopped.split("\n"));
}

/** A line for each way to a server, with whether it was reached. */
export async function reachedIn(
  lab: Lab,
  engine: Engine,
  world: World,
  mode: Mode,
): Promise<readonly string[]> {
  const name = `${world}-${mode}`;
  const addresses = await addressesOf(engine, `${name}-server`, name);
  // The internet knows its way to addresses of IPv6; to others it is shown one.
  await lab.internet.exec(["ip", "route", "replace", `${addresses.own}/32`, "via", engine.link.host]);
  const at = { ...addresses, host: engine.link.host, host6: `[${engine.link.host6}]` };
  const url = (port: number, to: keyof typeof at): string => `http://${at[to]}:${port}/`;
  const outside = async (...target: string[]): Promise<boolean> =>
    (await lab.internet.exec(curl(...target))).exitCode === 0;
  const onHost = async (...target: string[]): Promise<boolean> =>
    (await engine.exec(...curl(...target))).exitCode === 0;
  const from =
    (container: string) =>
    async (...target: string[]): Promise<boolean> =>
      (await engine.docker("exec", container, ...curl(...target))).exitCode === 0;
  const port = hostPort(world, mode);
  const ways: (readonly [what: string, who: (...target: string[]) => Promise<boolean>, target: string])[] = [
    ["published, from outside, by the host", outside, url(port, "host")],
    ["published, from outside, by the host's IPv6", outside, url(port, "host6")],
    ["published, from outside, by its own address", outside, url(8000, "own")],
    ["published, from outside, by its own IPv6", outside, url(8000, "own6")],
    ["unpublished, from outside, by its own address", outside, url(8001, "own")],
    ["unpublished, from outside, by its own IPv6", outside, url(8001, "own6")],
    ["published, from the host itself", onHost, `http://127.0.0.1:${port}/`],
    ["unpublished, from the host itself", onHost, url(8001, "own")],
    ["published, from a neighbour, by the host", from(`${name}-client`), url(port, "host")],
    ["published, from itself, by the host", from(`${name}-server`), url(port, "host")],
    ["published, from a neighbour, by name", from(`${name}-client`), `http://${name}-server:8000/`],
    ["unpublished, from a neighbour, by name", from(`${name}-client`), `http://${name}-server:8001/`],
  ];
  if (mode === "nat")
    ways.push([
      "published, from another network, by the host",
      from(`${world}-far-client`),
      url(port, "host"),
    ]);
  const pings = [at.own, at.own6.replaceAll(/[[\]]/g, "")].map(async (target) => {
    const { exitCode } = await lab.internet.exec(["ping", "-c", "1", "-W", "1", target]);
    return `ping, from outside, ${target.includes(":") ? "IPv6" : "IPv4"}: ${exitCode === 0}`;
  });
  return Promise.all([...ways.map(async ([what, who, target]) => `${what}: ${await who(target)}`), ...pings]);
}

async function addressesOf(
  engine: Engine,
  container: string,
  on: string,
): Promise<{ own: string; own6: string }> {
  const format = `{{with index .NetworkSettings.Networks "${on}"}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}`;
  const [own = "", own6 = ""] = (await run(engine, "inspect", "-f", format, container)).split(" ");
  return { own, own6: `[${own6}]` };
}

/**
 * What an engine lets in by a container's own address: older ones to every port, and newer ones in the mode
 * nat-unprotected. On a guarded network only published ports lead in.
 */
export function isClosedByDesign(mode: Mode, docker: string, ours: string): boolean {
  const [what = ""] = docker.split(": ");
  const closed = {
    nat: /^(published|unpublished), from outside, by its own|^ping/,
    unprotected: /^unpublished, from outside/,
    routed: undefined,
    isolated: undefined,
  }[mode];
  return closed?.test(what) === true && ours === `${what}: false`;
}
