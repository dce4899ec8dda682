// What 500 guarded networks and 5,000 containers cost the control plane, and how many rules a packet walks on a host with
// 500 networks, half of them guarded, in a network namespace of its own:
//   npm run bench:scale

import { createWall } from "../src/control/wall.ts";
import { AskerIndex } from "../src/core/askers/index-of-askers.ts";
import { parseAddress, parsePrefix } from "../src/core/model/address.ts";
import type { Container, Network, Topology } from "../src/core/model/topology.ts";
import { openKernelSets } from "../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../src/edge/kernel/iptables/firewall.ts";
import { enterNamespaces, run } from "../test/support/namespace.ts";
import { quietHost } from "../test/support/policies.ts";
import { buildHost } from "./walk.ts";

enterNamespaces(import.meta.url);

const containersPerNetwork = 10;

type Guarded = (index: number) => boolean;
const all: Guarded = () => true;
const everyOther: Guarded = (index) => index % 2 === 0;

function networkOf(index: number, guarded: Guarded): Network {
  const subnets = [`10.${index >> 8}.${index & 255}.0/24`].flatMap((text) => parsePrefix(text) ?? []);
  const id = index.toString(16).padStart(64, "a");
  const allow = `*.example.com api-${index}.example.org:443 203.0.113.0/24:5432`;
  const labels: Record<string, string> = guarded(index) ? { "dockerwall.allow": allow } : {};
  const place = { driver: "bridge", bridge: `br-${id.slice(-12)}`, gateways: [], internal: false };
  return { id, name: `net${index}`, subnets, labels, ...place };
}

function containerOf(index: number): Container {
  const networkIndex = Math.floor(index / containersPerNetwork);
  const address = parseAddress(
    `10.${networkIndex >> 8}.${networkIndex & 255}.${2 + (index % containersPerNetwork)}`,
  );
  const networkId = networkIndex.toString(16).padStart(64, "a");
  const endpoint = { networkId, addresses: address === undefined ? [] : [address], aliases: [], links: [] };
  const id = index.toString(16).padStart(64, "c");
  const state = { running: true, networkMode: "", sandbox: undefined, configured: [], hazards: [] };
  return { id, name: `c${index}`, labels: {}, endpoints: [endpoint], ...state };
}

function topologyOf(count: number, guarded: Guarded): Topology {
  return {
    networks: Array.from({ length: count }, (_, index) => networkOf(index, guarded)),
    containers: Array.from({ length: count * containersPerNetwork }, (_, index) => containerOf(index)),
  };
}

async function timed<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  const from = performance.now();
  const result = await work();
  console.log(`${what}: ${(performance.now() - from).toFixed(1)} ms`);
  return result;
}

const rules = (): string[] =>
  run("iptables-nft-save")
    .split("\n")
    .filter((line) => line.startsWith("-A "));
const wall = createWall({
  sets: openKernelSets(),
  firewall: createFirewall("nft"),
  dnsPort: 5053,
  queueNumber: 5353,
  hold: true,
  listBridges: () => [],
  ...quietHost(),
});

const plug = (index: number) => ({
  device: networkOf(index, all).bridge ?? "",
  host: `10.0.${index}.1`,
  own: `10.0.${index}.2`,
});
const walks = buildHost({
  guarded: plug(0),
  open: plug(1),
  uplink: { device: "uplink", host: "198.51.100.1", own: "198.51.100.9" },
});
const small = topologyOf(2, everyOther);
wall.classify(small);
wall.forgetGone(small);
await timed("2 networks: rules, first time", wall.applyRules);
const rulesBefore = rules();
const walkedBefore = new Map(walks());
const large = topologyOf(500, all);
const classification = await timed("500 networks, 5,000 containers: classify and fill the sets", () =>
  wall.classify(large),
);
await timed("the same again, nothing changed", () => wall.classify(large));
await timed("one guarded network less", () => wall.classify({ ...large, networks: large.networks.slice(1) }));
await timed("rules, nothing to change", wall.applyRules);
const { guarded, containers } = classification;
await timed("the data plane's index", () => {
  new AskerIndex({ topology: large, guarded, services: containers.services, quarantined: [] });
});
const after = rules();
console.log(`rules of IPv4 with 2 networks: ${rulesBefore.length}, with 500: ${after.length}`);
wall.classify(topologyOf(500, everyOther));
for (const [what, count] of walks()) {
  const before = walkedBefore.get(what) ?? 0;
  console.log(`rules walked by a packet, ${what}: ${before} with 2 networks, ${count} with 500`);
  if (count > before + 0.5) throw new Error("the walk grew with the networks");
}
if (rulesBefore.join() !== after.join()) throw new Error("the rules grew with the networks");
await wall.remove();
process.exit();
