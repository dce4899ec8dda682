// The network by which the engine has a container send in each family, beside the one that is foretold.

import type { Family } from "../../../src/core/model/address.ts";
import { type WayOut, wayOutBy } from "../../../src/core/model/topology.ts";
import { run } from "../../support/dockerwall.ts";
import type { Engine } from "../../support/lab/engine.ts";

const families = [4, 6] as const;
/** Each with its options; a name ends with the families. */
const networks: readonly (readonly [name: string, ...options: string[]])[] = [
  ["a4"],
  ["d4"],
  ["b46", "--ipv6", "--subnet", "2001:db8:b46::/64"],
  ["i46", "--internal", "--ipv6", "--subnet", "2001:db8:146::/64"],
];
/** Without IPv4; Engine 28 has such. */
const only6: typeof networks = [["c6", "--ipv4=false", "--ipv6", "--subnet", "2001:db8:c6::/64"]];
/** `NAME=PRIORITY`, which Engine 28 knows too. */
const joined = ["a4 d4", "a4 b46", "a4 i46"];
const joinedOn28 = ["a4 d4=1", "a4=1 b46", "a4 c6", "d4=2 c6=1 b46"];

/** A line for each container whose packets leave by another network than that. */
export async function strayWaysOut(engine: Engine): Promise<readonly string[]> {
  const is28 = engine.kind === "e28";
  const all = is28 ? [...networks, ...only6] : networks;
  for (const [name, ...options] of all) await run(engine, "network", "create", ...options, name);
  const strays: string[] = [];
  for (const text of is28 ? [...joined, ...joinedOn28] : joined) {
    const ways = text.split(" ").map(wayOf);
    const leaves = await waysTaken(engine, ways);
    const foretold = families.map((family) => wayOutBy(family, ways)?.name ?? "none");
    if (leaves.join() !== foretold.join())
      strays.push(`${text}: by ${leaves.join()}, not ${foretold.join()}`);
  }
  await run(engine, "network", "rm", ...all.map(([name]) => name));
  return strays;
}

function wayOf(text: string): WayOut {
  const [name = "", priority = "0"] = text.split("=");
  const its = families.filter((family) => name.includes(`${family}`));
  return { name, families: its, internal: name.startsWith("i"), gatewayPriority: Number(priority) };
}

/** The networks of its default routes, in both families. */
async function waysTaken(engine: Engine, ways: readonly WayOut[]): Promise<readonly string[]> {
  await run(engine, "create", "--name", "leaving", "--network", "none", "client:lab", "sleep", "600");
  await run(engine, "network", "disconnect", "none", "leaving");
  for (const { name, gatewayPriority = 0 } of ways) {
    const prefers = gatewayPriority === 0 ? [] : ["--gw-priority", `${gatewayPriority}`];
    await run(engine, "network", "connect", ...prefers, name, "leaving");
  }
  await run(engine, "start", "leaving");
  const taken = await Promise.all(families.map((family) => wayTaken(engine, family)));
  await run(engine, "rm", "-f", "leaving");
  return taken;
}

async function wayTaken(engine: Engine, family: Family): Promise<string> {
  const route = await run(engine, "exec", "leaving", "ip", `-${family}`, "route", "show", "default");
  const device = / dev (\S+)/.exec(route)?.[1];
  if (device === undefined) return "none";
  const addresses = await run(engine, "exec", "leaving", "ip", "-o", "address", "show", "dev", device);
  const format =
    "{{range $name, $e := .NetworkSettings.Networks}}{{$name}} {{$e.IPAddress}} {{$e.GlobalIPv6Address}},{{end}}";
  const on = (await run(engine, "inspect", "-f", format, "leaving"))
    .split(",")
    .map((each) => each.split(" "));
  const isThere = (address: string): boolean => address !== "" && addresses.includes(` ${address}/`);
  return on.find(([, ...its]) => its.some(isThere))?.[0] ?? device;
}
