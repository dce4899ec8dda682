// What policies cost: a look-up by the length of the list, compiling, the memory of 1,000 services that share a long
// list, and sending the picture of them to the data plane. Each time is the least of several runs.
//   npm run bench:policy

import { AskerIndex } from "../src/core/askers/index-of-askers.ts";
import { type IpAddress, parseAddress, parsePrefix } from "../src/core/model/address.ts";
import type { GuardedNetwork, ServicePolicy } from "../src/core/model/guarded-network.ts";
import type { Picture } from "../src/core/model/picture.ts";
import type { Container, Network } from "../src/core/model/topology.ts";
import { loadBuiltInPresets } from "../src/core/policy/built-in-presets.ts";
import { decidePacket } from "../src/core/policy/decide/packet.ts";
import { decideName } from "../src/core/policy/decide.ts";
import { compileList, createListCompiler, type EntryList } from "../src/core/policy/entry-list.ts";
import { createListStore } from "../src/core/policy/list-store.ts";
import { createPoster, createReceiver } from "../src/planes/picture.ts";
import { unlabelled } from "../test/support/topologies.ts";

const sizes = [10, 100, 1000, 10_000] as const;
const services = 1000;
const store = createListStore(loadBuiltInPresets());

function listOf(place: string, texts: readonly string[]): EntryList {
  const { list, problems } = store.read({ name: place, owner: "" }, texts.join(" "), 0);
  if (list === undefined) throw new Error(problems[0]);
  return list;
}

/** An address for each number below 65,536. */
const octets = (index: number): string => `${index >> 8}.${index & 255}`;

function addressOf(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
}

/** What a list of each kind holds, a name that its last entry matches, and one that nothing does. */
interface Kind {
  readonly entry: (index: number) => string;
  readonly hit: (last: number) => string;
  readonly miss: string;
}

const nameKinds: Readonly<Record<string, Kind>> = {
  names: {
    entry: (index) => `host-${index}.example.com:443`,
    hit: (last) => `host-${last}.example.com`,
    miss: "host-x.example.com",
  },
  wildcards: {
    entry: (index) => `*.zone-${index}.example.com:443`,
    hit: (last) => `a.b.zone-${last}.example.com`,
    miss: "a.b.zone-x.example.com",
  },
  patterns: {
    entry: (index) => `build-${index}-*.ci.example.com:443`,
    hit: (last) => `build-${last}-7.ci.example.com`,
    miss: "build-x-7.ci.example.com",
  },
  "patterns, beginning with `*`": {
    entry: (index) => `*-${index}.ci.example.com:443`,
    hit: (last) => `build-${last}.ci.example.com`,
    miss: "build-x.ci.example.com",
  },
  mixed: {
    entry: (index) => mixedNames[index % mixedNames.length]?.entry(index) ?? "",
    hit: (last) => `host-${last - (last % 3)}.example.com`,
    miss: "a.b.zone-x.example.com",
  },
  "the exception: patterns alike at both ends": {
    entry: (index) => `a*-${index}-*.ci.example.com:443`,
    hit: (last) => `a-${last}-b.ci.example.com`,
    miss: "a-x-b.ci.example.com",
  },
};

const mixedNames = [nameKinds["names"], nameKinds["wildcards"], nameKinds["patterns"]];

/** Lengths from 9 to 32, as prefixes of the world are. */
const prefixEntry = (index: number): string =>
  `${octets(index + 256)}.${octets(index)}/${9 + (index % 24)}:443`;

const digits = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 });

/** Nanoseconds of one call, the least of many short runs: on a busy machine a long one is always interrupted. */
function nanoseconds(work: () => unknown): string {
  let calls = 1;
  let best = Number.POSITIVE_INFINITY;
  const run = (): number => {
    const from = performance.now();
    for (let call = 0; call < calls; call++) work();
    return performance.now() - from;
  };
  while (run() < 2) calls *= 2;
  for (let round = 0; round < 80; round++) best = Math.min(best, run() / calls);
  return digits(best * 1e6);
}

/** Milliseconds, the least of 15 runs. */
function milliseconds(work: () => unknown): string {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 15; round++) {
    const from = performance.now();
    work();
    best = Math.min(best, performance.now() - from);
  }
  return best.toFixed(1);
}

/** Of work that is done when it returns, and that must be settled before the next. */
async function millisecondsEach(work: () => Promise<void>): Promise<string> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 15; round++) {
    const from = performance.now();
    const settled = work();
    best = Math.min(best, performance.now() - from);
    await settled;
  }
  return best.toFixed(1);
}

function megabytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function row(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function header(...cells: readonly string[]): void {
  console.log("");
  row(...cells);
  row(...cells.map(() => "---"));
}

header("ns for each look-up, hit / miss", ...sizes.map((size) => `${digits(size)} entries`));
for (const [kind, { entry, hit, miss }] of Object.entries(nameKinds)) {
  const cells = sizes.map((size) => {
    const texts = Array.from({ length: size }, (_, index) => entry(index));
    const policy = { network: "n", lists: [compileList(listOf(`${kind} ${size}`, texts))] };
    if (!decideName(policy, hit(size - 1), 0).allowed || decideName(policy, miss, 0).allowed)
      throw new Error(kind);
    return [hit(size - 1), miss].map((name) => nanoseconds(() => decideName(policy, name, 0))).join(" / ");
  });
  row(kind, ...cells);
}
row(
  "prefixes, a packet",
  ...sizes.map((size) => {
    const texts = Array.from({ length: size }, (_, index) => prefixEntry(index));
    const policy = { network: "n", lists: [compileList(listOf(`prefixes ${size}`, texts))] };
    const packet = (text: string) => ({ destination: addressOf(text), ipProtocol: 6, port: 443 });
    const [hit, miss] = [packet(`${octets(size + 255)}.${octets(size - 1)}`), packet("203.0.113.7")];
    if (!decidePacket(policy, hit, [], 0).allowed || decidePacket(policy, miss, [], 0).allowed)
      throw new Error("prefixes");
    return [hit, miss].map((target) => nanoseconds(() => decidePacket(policy, target, [], 0))).join(" / ");
  }),
);

const mixed = (index: number): string =>
  index % 4 === 3 ? prefixEntry(index) : (nameKinds["mixed"]?.entry(index) ?? "");
header("ms, names, wildcards, patterns and prefixes", ...sizes.map((size) => `${digits(size)} entries`));
const mixedTexts = sizes.map((size) => Array.from({ length: size }, (_, index) => mixed(index)));
let place = 0;
row("parse a label", ...mixedTexts.map((texts) => milliseconds(() => listOf(`parse ${place++}`, texts))));
row(
  "compile it",
  ...mixedTexts.map((texts) => {
    const list = listOf(`compile ${texts.length}`, texts);
    return milliseconds(() => compileList(list));
  }),
);

/** One network, so many containers, each with a list of its own of five entries. */
function pictureOf(count: number, shared: EntryList): Picture {
  const subnets = [parsePrefix("10.0.0.0/16")].filter((prefix) => prefix !== undefined);
  const network: Network = {
    id: "n",
    name: "n",
    driver: "bridge",
    bridge: "br-n",
    subnets,
    gateways: [],
    internal: false,
    labels: {},
  };
  const guarded: GuardedNetwork = {
    id: "n",
    name: "n",
    subnets,
    gateways: [],
    lists: [shared],
    labels: unlabelled,
  };
  const addresses = Array.from({ length: count }, (_, index) => addressOf(`10.0.${octets(index + 2)}`));
  const containers = addresses.map(
    (address, index): Container => ({
      id: `c${index}`,
      name: `c${index}`,
      labels: {},
      running: true,
      networkMode: "n",
      sandbox: `s${index}`,
      configured: [],
      endpoints: [{ networkId: "n", addresses: [address], aliases: [], links: [] }],
      hazards: [],
    }),
  );
  const own = (index: number): string[] => [
    `own-${index}.example.org:443`,
    `*.own-${index}.example.org`,
    `a-*.own-${index}.example.net`,
    `${prefixEntry(index)}/tcp`,
    `!host-${index}.example.com`,
  ];
  const policies = addresses.map(
    (address, index): ServicePolicy => ({
      containerId: `c${index}`,
      name: `c${index}`,
      addresses: [address],
      lists: [listOf(`service ${index}`, own(index))],
    }),
  );
  return {
    topology: { networks: [network], containers },
    guarded: [guarded],
    services: policies,
    quarantined: [],
  };
}

function indexOf({ topology, guarded, services: own }: Picture, compiler = createListCompiler()): AskerIndex {
  const index = new AskerIndex({ topology, guarded, services: own, quarantined: [] }, compiler.compile);
  for (const { endpoints } of topology.containers)
    for (const address of endpoints.flatMap(({ addresses }) => addresses)) index.standingOfSource(address);
  return index;
}

const shared = listOf("shared", mixedTexts.at(-1) ?? []);
header("a look-up of one of so many services, network list of 10,000", ...[10, 100, services].map(digits));
const standings = [10, 100, services].map((count) => ({ count, index: indexOf(pictureOf(count, shared)) }));
for (const [what, name] of [
  ["ns, by its own list", (count: number) => `own-${count - 1}.example.org`],
  ["ns, by the network's", () => "host-9.example.com"],
  ["ns, denied", () => "a.b.zone-x.example.com"],
] as const) {
  row(
    what,
    ...standings.map(({ count, index }) => {
      const asker = addressOf(`10.0.${octets(count + 1)}`);
      return nanoseconds(() => {
        const standing = index.standingOfSource(asker);
        if (standing.kind !== "guarded") throw new Error(standing.kind);
        return standing.memberships.map(({ policy }) => decideName(policy, name(count), 0));
      });
    }),
  );
}

header(`${digits(services)} services with lists of their own, one network list of 10,000 entries`, "");
const before = megabytes();
const again = createListStore(loadBuiltInPresets());
const kept = {
  shared: again.read({ name: "shared", owner: "" }, (mixedTexts.at(-1) ?? []).join(" "), 0).list ?? shared,
};
const afterShared = megabytes();
const picture = pictureOf(services, kept.shared);
const afterPicture = megabytes();
const compiler = createListCompiler();
const firstIndex = indexOf(picture, compiler);
const afterIndex = megabytes();
row("control plane: the shared list, MB", (afterShared - before).toFixed(1));
row("control plane: the services' lists and the picture, MB", (afterPicture - afterShared).toFixed(1));
row("data plane: everything compiled, MB", (afterIndex - afterPicture).toFixed(1));
row(
  "index and compile for the first time, ms",
  milliseconds(() => indexOf(picture)),
);
row(
  "index anew, lists compiled before, ms",
  milliseconds(() => indexOf(picture, compiler)),
);
if (firstIndex.policyKey(addressOf("10.0.0.2")) === undefined) throw new Error("no policy");

/** A poster whose pictures arrive before it returns. */
const startPoster = (): ReturnType<typeof createPoster> => {
  const receive = createReceiver();
  return createPoster(async (posted) => void receive(structuredClone(posted)));
};
row(
  "first picture to the data plane and back to lists, ms",
  await millisecondsEach(() => startPoster()(picture)),
);
const post = startPoster();
await post(picture);
row("the next picture, ms", await millisecondsEach(() => post(picture)));
const copy = createPoster(async (posted) => void structuredClone(posted));
await copy(picture);
row("of which the copy, ms", await millisecondsEach(() => copy(picture)));
row(
  "every list with every picture, as it would be without, ms",
  milliseconds(() => structuredClone(picture)),
);
