// What 500 guarded networks and 5,000 containers cost the control plane, in a network namespace of its own:
//   npm run bench:scale

import { AskerIndex } from "../src/dns/asker.ts";
import { openKernelSets } from "../src/io/ipset.ts";
import { createIptables } from "../src/io/iptables.ts";
import { parseAddress, parsePrefix } from "../src/model/address.ts";
import type { Container, Network, Topology } from "../src/model/topology.ts";
import { createWall } from "../src/wall.ts";
import { enterNamespaces, run } from "../test/support/namespace.ts";

enterNamespaces(import.meta.url);

const containersPerNetwork = 10;

function networkOf(index: number): Network {
  const subnets = [`10.${index >> 8}.${index & 255}.0/24`].flatMap((text) => parsePrefix(text) ?? []);
  const id = index.toString(16).padStart(64, "a");
  const labels = { "dockerwall.allow": `*.example.com api-${index}.example.org:443 203.0.113.0/24:5432` };
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

function topologyOf(count: number): Topology {
  return {
    networks: Array.from({ length: count }, (_, index) => networkOf(index)),
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
  iptables: createIptables("nft"),
  otherIptables: createIptables("legacy"),
  dnsPort: 5053,
  queueNumber: 5353,
  hold: true,
  listBridges: () => [],
  nowMs: Date.now,
});

wall.classify(topologyOf(1));
await timed("1 network: rules, first time", wall.applyRules);
const before = rules();
const large = topologyOf(500);
const classification = await timed("500 networks, 5,000 containers: classify and fill the sets", () =>
  wall.classify(large),
);
await timed("the same again, nothing changed", () => wall.classify(large));
await timed("one network less", () => wall.classify({ ...large, networks: large.networks.slice(1) }));
await timed("rules, nothing to change", wall.applyRules);
const { guarded, containers } = classification;
await timed("the data plane's index", () => {
  new AskerIndex({ topology: large, guarded, services: containers.services, quarantined: [] });
});
const after = rules();
console.log(`rules of IPv4 with 1 network: ${before.length}, with 500: ${after.length}`);
if (before.join() !== after.join()) throw new Error("the rules grew with the networks");
await wall.remove();
process.exit();
