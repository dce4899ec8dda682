// The stage of one plan: its networks and containers on an engine, each with an echo server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultControlSocket } from "../../../src/edge/control-socket/path.ts";
import { type AskDaemon, askAt } from "../../support/ask-daemon.ts";
import { run, wall } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { repository } from "../../support/lab/repository.ts";
import type { Around } from "./targets.ts";
import { type ContainerPlan, type NetworkPlan, outsideAddresses, type Plan } from "./topology.ts";

const scripts = join(repository, "test/engine/predictions");
const echoImage = "client:lab";

/** The end of `docker run` or `docker create`: what echoes, and by which it is called. */
export function echoServer(name: string, ports: readonly string[] = ["9000", "53"]): string[] {
  return ["--name", name, "-v", `${scripts}:/p:ro`, echoImage, "python3", "/p/echo.py", name, ...ports];
}

export async function build(engine: Engine, { networks, containers }: Plan): Promise<void> {
  for (const plan of networks) await run(engine, "network", "create", ...networkOptions(plan), plan.name);
  if (containers.some(({ isOnWire }) => isOnWire)) await makeWire(engine);
  for (const plan of containers) await startContainer(engine, plan);
  await untilKnown(engine, { networks, containers });
  for (const { name, quarantined } of containers) {
    if (!quarantined) continue;
    const outcome = await wall(engine, "quarantine", name);
    // One with NET_ADMIN is cut off with a warning, one that is on a network of another kind is refused.
    assert.ok([0, 1, 75].includes(outcome.exitCode), outcome.stderr);
  }
}

/** Labels that have no effect keep `status` from being well, and nothing else. */
async function untilKnown(engine: Engine, { networks, containers }: Plan): Promise<void> {
  const guarded = networks.filter(({ allow }) => allow !== undefined).map(({ name }) => name);
  const ask = await askerOf(engine);
  await until("networks to be enforced and containers to be known", 60_000, async () => {
    const enforced = (await ask("status")).networks.filter(({ state }) => state === "enforced");
    if (!guarded.every((name) => enforced.some((each) => each.name === name))) return undefined;
    const steps = await Promise.all(
      containers.map(
        async ({ name }) => (await ask("explain", { container: name, target: "192.0.2.1" })).step,
      ),
    );
    return steps.includes("not-known") ? undefined : true;
  });
}

export async function askerOf(engine: Engine): Promise<AskDaemon> {
  const pid = await run(engine, "inspect", "-f", "{{.State.Pid}}", "dockerwall");
  return askAt(`/proc/${pid}/root${defaultControlSocket}`);
}

const option = "com.docker.network.bridge";

function networkOptions(plan: NetworkPlan): string[] {
  const { allow, labels, internal, subnet6, gatewayMode, keepsApart } = plan;
  return [
    ...(allow === undefined ? [] : ["--label", `dockerwall.allow=${allow}`]),
    ...labels.flatMap((label) => ["--label", label]),
    ...(internal ? ["--internal"] : []),
    ...(subnet6 === undefined ? [] : ["--ipv6", "--subnet", subnet6]),
    ...(gatewayMode === undefined ? [] : ["-o", `${option}.gateway_mode_ipv4=${gatewayMode}`]),
    ...(keepsApart ? ["-o", `${option}.enable_icc=false`] : []),
  ];
}

/** A network of macvlan on the host's wire, by which its containers are beside the host. */
async function makeWire(engine: Engine): Promise<void> {
  const { gateway } = engine.link;
  const subnet = gateway.replace(/\.1$/, ".0/24");
  const range = gateway.replace(/\.1$/, ".128/25");
  const options = ["-d", "macvlan", "--subnet", subnet, "--ip-range", range, "--gateway", gateway];
  await run(engine, "network", "create", ...options, "-o", "parent=eth0", "wire");
}

async function startContainer(engine: Engine, plan: ContainerPlan): Promise<void> {
  const [, ...others] = plan.networks;
  const options = [
    ...["--network", networkOf(plan)],
    ...(plan.allow === undefined ? [] : ["--label", `dockerwall.allow=${plan.allow}`]),
    ...(plan.admin.length === 0 ? [] : ["--cap-add", "NET_ADMIN"]),
    ...(plan.published === undefined ? [] : ["-p", `${plan.published}:9000`]),
    ...plan.hosts.flatMap((entry) => ["--add-host", entry]),
    ...plan.links.flatMap((link) => ["--link", link]),
  ];
  await run(engine, "create", ...options, ...echoServer(plan.name, portsOf(plan)));
  for (const network of [...others, ...(plan.isOnWire ? ["wire"] : [])])
    await run(engine, "network", "connect", network, plan.name);
  await run(engine, "start", plan.name);
  for (const command of plan.admin) await engine.docker("exec", plan.name, "sh", "-c", command);
}

function networkOf({ networks: [first = "none"], shares, isOnHost }: ContainerPlan): string {
  if (isOnHost) return "host";
  return shares === undefined ? first : `container:${shares}`;
}

/** Others listen at the usual ones already where it shares a network. */
function portsOf({ shares, isOnHost }: ContainerPlan): readonly string[] | undefined {
  if (isOnHost) return ["9002"];
  return shares === undefined ? undefined : ["9001"];
}

export async function takeDown(engine: Engine, { networks, containers }: Plan): Promise<void> {
  for (const { name, quarantined } of containers) if (quarantined) await wall(engine, "release", name);
  await engine.docker("rm", "-f", ...containers.map(({ name }) => name).reverse());
  const wire = containers.some(({ isOnWire }) => isOnWire) ? ["wire"] : [];
  await engine.docker("network", "rm", ...networks.map(({ name }) => name), ...wire);
}

/** Of an entry of hosts. */
function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf(":"));
}

export async function lookAround(engine: Engine, { networks, containers }: Plan): Promise<Around> {
  const holders = containers.filter(({ shares, isOnHost }) => shares === undefined && !isOnHost);
  const format =
    "{{range $name, $e := .NetworkSettings.Networks}}{{$name}} {{$e.IPAddress}} {{$e.GlobalIPv6Address}},{{end}}";
  const isolated = networks.filter(({ gatewayMode }) => gatewayMode === "isolated").map(({ name }) => name);
  const farFromHost = new Set<string>();
  const wire = engine.link.gateway.replace(/1$/, "");
  const listed = await Promise.all(
    holders.map(async ({ name, networks: on, hosts, links }) => {
      const endpoints = (await run(engine, "inspect", "-f", format, name)).split(",");
      const addresses = endpoints.flatMap((endpoint) => {
        const [network = "", ...its] = endpoint.split(" ");
        // Of IPv4 the host has no address there.
        if (isolated.includes(network)) farFromHost.add(its[0] ?? "");
        // Between a host and the macvlan on its own wire nothing passes, whatever lets it.
        return its.filter((each) => each !== "" && !each.startsWith(wire));
      });
      const ownNames = [...hosts.map(nameOf), ...links.map((link) => link.replace(/.*:/, ""))];
      return { name, networks: on, ownNames, addresses };
    }),
  );
  const { stdout } = await engine.exec("ip", "-o", "addr", "show", "scope", "global");
  const found = [...stdout.matchAll(/inet6? ([0-9a-f.:]+)\/(.*)/g)];
  return {
    hostAddresses: found.map(([, address = ""]) => address),
    tentative: new Set(
      found.flatMap(([, address = "", rest = ""]) => (rest.includes("tentative") ? [address] : [])),
    ),
    containers: listed,
    farFromHost,
    leadElsewhere: new Set(
      containers.flatMap(({ hosts }) =>
        hosts.filter((entry) => !outsideAddresses.some((each) => entry.endsWith(each))).map(nameOf),
      ),
    ),
    published: containers.flatMap(({ published, networks: on }) => {
      // Of a routed network nothing is published at the host's addresses, and an internal one publishes nothing.
      const isReached = networks.every(
        ({ name, gatewayMode, internal }) => !on.includes(name) || !(gatewayMode === "routed" || internal),
      );
      return published === undefined ? [] : [{ port: published, answers: isReached }];
    }),
  };
}
