// What must hold after every single write: who has been held once stays held, and whom nobody guards passes, until
// other software changes the kernel or it is meant otherwise. Told by the fate of packets, not by the text of rules.

import assert from "node:assert/strict";
import { heldPrefix, setNames } from "../../../src/core/firewall/names.ts";
import { type Family, familyOf, type IpAddress, parseAddress } from "../../../src/core/model/address.ts";
import { listedBridges } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { addressIn, type Host, type HostNetwork } from "./host.ts";
import { families, type SequenceKernel } from "./kernel.ts";
import { fateOf, type Hook, type Packet } from "./walk.ts";

interface Probe {
  /** Says what it is about, and under which circumstances. */
  readonly name: string;
  readonly hooks: readonly Hook[];
  readonly packet: Packet;
  readonly passes: boolean;
  /** One that the wall holds until it has let it go: what passes before, by rules that others broke, is no promise. */
  readonly bridge?: string;
}

export interface Watch {
  /** The host, or who is in quarantine, has changed. */
  look(): void;
  /** To be called after each write: compares with what has been so before. */
  check(written: "rules" | "sets"): void;
  /** The wall has been told to go: what was before counts no more. */
  forget(): void;
  /**
   * Others have been at the kernel. Until that has been put right, what was before counts only for writers of rules:
   * a network that goes by its set from one rule to another may find that one gone.
   */
  breakUp(): void;
  /** It has been put right. */
  mend(): void;
  /** Those that are not as they should be when all is at rest. */
  wrong(): readonly string[];
  readonly violations: Set<string>;
}

const outside: Readonly<Record<Family, IpAddress>> = {
  4: addressOf("192.0.2.1"),
  6: addressOf("2001:db8:ffff::1"),
};
const strange: Readonly<Record<Family, IpAddress>> = {
  4: addressOf("100.64.0.9"),
  6: addressOf("2001:db8:eeee::9"),
};
/** Where a packet comes in, and on its way through the host: errors to senders, and drops, come on the way out. */
const arriving: readonly Hook[] = [["raw", "PREROUTING"]];
const passing: readonly Hook[] = [
  ["mangle", "FORWARD"],
  ["mangle", "POSTROUTING"],
];
const staying: readonly Hook[] = [["mangle", "INPUT"]];
/** No entry of any list names it. */
const port = 2222;

export function createWatch(kernel: SequenceKernel, host: Host, quarantine: ReadonlySet<string>): Watch {
  const violations = new Set<string>();
  let probes: readonly Probe[] = [];
  let holding = new Set<string>();
  let broken = false;

  const isAsMeant = ({ hooks, packet, passes }: Probe): boolean =>
    (fateOf(cached, packet, hooks) === "passes") === passes;
  let cached: Pick<SequenceKernel, "chain" | "sets"> = kernel;

  function isListed(list: "open" | "closed", family: Family, bridge: string): boolean {
    const name = setNames[`${list}${family}`];
    return cached.sets.names().includes(name) && listedBridges(cached.sets, name).includes(bridge);
  }

  /**
   * Where there is no wall, everybody is let go. Of a bridge of other software that is called as Docker calls its own, the
   * next daemon may think that it is being made, when it finds a trace of one before it.
   */
  function isLetGo(bridge: string): boolean {
    const isDoubtful = host.bridges.has(bridge) && /^br-[0-9a-f]{12}$/.test(bridge);
    if (!isDoubtful && !cached.sets.names().some((name) => name.startsWith("dockerwall-"))) return true;
    if (families.some((family) => isListed("closed", family, bridge))) return false;
    return !bridge.startsWith(heldPrefix) || families.every((family) => isListed("open", family, bridge));
  }

  /** The sets do not change while probes are tried. */
  function take(): void {
    const lists = new Map<string, ReturnType<SequenceKernel["sets"]["list"]>>();
    const list = (name: string): ReturnType<SequenceKernel["sets"]["list"]> => {
      const known = lists.get(name) ?? kernel.sets.list(name);
      lists.set(name, known);
      return known;
    };
    cached = { chain: kernel.chain, sets: { ...kernel.sets, list } };
  }

  return {
    violations,
    look() {
      probes = [
        ...[...host.networks.values()].flatMap((network) => probesOf(network, host)),
        ...[...host.bridges].flatMap(openProbes),
        ...quarantineProbes(host, quarantine),
      ];
      const names = new Set(probes.map(({ name }) => name));
      holding = new Set([...holding].filter((name) => names.has(name)));
    },
    check(written) {
      take();
      for (const probe of probes) {
        if (isAsMeant(probe)) {
          if (probe.bridge === undefined || isLetGo(probe.bridge)) holding.add(probe.name);
        } else if (holding.delete(probe.name) && !(broken && written === "sets")) {
          violations.add(`${probe.name}: ${probe.passes ? "is held" : "passes"}, and did not before`);
        }
      }
    },
    forget: () => holding.clear(),
    breakUp() {
      broken = true;
      holding.clear();
    },
    mend() {
      broken = false;
    },
    wrong() {
      take();
      return probes.filter((probe) => !isAsMeant(probe)).map(({ name }) => name);
    },
  };
}

function probesOf(network: HostNetwork, host: Host): Probe[] {
  const { labels, bridge, subnets } = network;
  // One that cannot be guarded is let go, and told of.
  if (host.strangersOn.has(bridge)) return [];
  if (labels["dockerwall.allow"] === undefined) return openProbes(bridge);
  if (labels["dockerwall.mode"] === "audit") return [];
  return families.flatMap((family) => {
    const subnet = subnets.find(({ address }) => familyOf(address) === family);
    const own = subnet === undefined ? strange[family] : addressIn(subnet, 200);
    const probe = (name: string, source: IpAddress, hooks: readonly Hook[]): Probe => ({
      name: `${network.id.slice(0, 8)} ${network.name} ${bridge} ${name}, IPv${family}`,
      hooks,
      packet: packetOf({ source, from: bridge, to: hooks === staying ? undefined : "eth0" }),
      passes: false,
    });
    return [
      probe("outwards", own, passing),
      probe("to the host", own, staying),
      probe("outwards from nobody's address", strange[family], passing),
      probe("from nobody's address", strange[family], arriving),
    ];
  });
}

/** Nothing of it is any business of ours. */
function openProbes(bridge: string): Probe[] {
  return families.flatMap((family) => {
    const packet = packetOf({ source: strange[family], from: bridge, to: "eth0" });
    const name = `${bridge}, which is nobody's business, IPv${family}`;
    return [{ name, bridge, hooks: [...arriving, ...passing], packet, passes: true }];
  });
}

function quarantineProbes(host: Host, quarantine: ReadonlySet<string>): Probe[] {
  return [...host.containers.values()]
    .filter(({ id }) => quarantine.has(id))
    .flatMap(({ name, addresses }) =>
      [...addresses].flatMap(([networkId, own]) => {
        const bridge = [...host.networks.values()].find(({ id }) => id === networkId)?.bridge ?? "gone";
        return own.flatMap((address): Probe[] => {
          const out = packetOf({ source: address, from: bridge, to: "eth0" });
          const inward = { ...out, source: out.destination, destination: address, from: "eth0", to: bridge };
          const common = { hooks: passing, passes: false };
          return [
            { ...common, name: `from ${name} at ${address}, cut off`, packet: out },
            { ...common, name: `to ${name} at ${address}, cut off`, packet: inward },
            {
              ...common,
              name: `from ${name} at ${address} to the host, cut off`,
              hooks: staying,
              packet: { ...out, to: undefined },
            },
          ];
        });
      }),
    );
}

function packetOf(fields: Pick<Packet, "source" | "from" | "to">): Packet {
  const family = familyOf(fields.source);
  return { ...fields, family, destination: outside[family], port };
}

function addressOf(text: string): IpAddress {
  return parseAddress(text) ?? assert.fail(text);
}
