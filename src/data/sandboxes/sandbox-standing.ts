// Where a sandbox stands, and what follows for the kernel: the addresses by which it is guarded on its other networks,
// what may come in through its ports, and whether it is cut off. All of it is in the kernel before the standing is used
// anywhere, and before the engine says whose sandbox it is.

import type { AskerIndex, Standing } from "../../core/askers/index-of-askers.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import { LinkLocalOwners } from "../../core/askers/link-local-owners.ts";
import type { UnknownSandboxes } from "../../core/askers/unknown-sandboxes.ts";
import type { PortState } from "../../core/askers/unsettled.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { openPortTable } from "../../edge/kernel/nftables/port-table.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import type { SandboxAddresses } from "../../edge/sandbox/addresses.ts";
import { openPorts, type Port } from "../../edge/sandbox/ports.ts";
import { messageOf } from "../../errors.ts";
import { createSandboxEntries } from "./sandbox-entries.ts";
import { createSettling, type Settling } from "./settling.ts";

export interface StandingsOptions {
  readonly sets: KernelSets;
  readonly readiness: Readiness;
  /** Whether what comes in by the ports of the host is guarded there. */
  readonly guardPorts: boolean;
  readonly indexNow: () => AskerIndex;
  readonly unknownSandboxesNow: () => UnknownSandboxes;
  /** What is known of a sandbox that is there. */
  readonly meet: (sandbox: string, addresses: readonly IpAddress[]) => Asker & { readonly sandbox: string };
  /** It will be told what the engine has of a guarded one. */
  readonly hearOf: (asker: Asker) => void;
  /** Whether it is not certain yet that nothing need be done about it; it is judged again when more is known. */
  readonly markUndecided: (sandbox: string, isUndecided: boolean) => void;
  /** By the clock of the readings. */
  readonly nowMs: () => number;
  /** When the last list of the engine's networks and containers began. */
  readonly listedAtMs: () => number;
  /** A sandbox has this address: grants that an earlier holder of it had must not be inherited. */
  readonly own: (address: IpAddress, sandbox: string) => void;
  readonly holdersOf: (address: IpAddress) => ReadonlySet<string>;
  /** Whether the host itself has it, as far as that was read. */
  readonly isHosts: (address: IpAddress) => boolean;
  /** Cuts a sandbox off inside of it, where that cannot be done at its ports. */
  readonly cutInside: (sandbox: string, cut: boolean) => void;
  readonly isCutInside: (sandbox: string) => boolean;
  /** Whether every sandbox that there is was seen. */
  readonly isComplete: () => boolean;
  /** The engine has not told of it, and no list that began since it appeared. */
  readonly isUnheard: (asker: Asker) => boolean;
  /** Something has changed by which a sandbox may stand elsewhere now. */
  readonly onChange: (sandbox: string) => void;
  readonly onProblem: (problem: string) => void;
}

export interface Standings {
  /** To be told before it is asked about. @param namespaceFd stays open until gone() */
  appear(sandbox: string, namespaceFd: number): void;
  /** Puts into the kernel what a sandbox with these addresses demands, and says where it stands. */
  enforce(sandbox: string, found: SandboxAddresses): Standing;
  gone(sandbox: string): void;
  /** Begins to tell which ports are settled; all are to be judged anew then. */
  settlePorts(): void;
  /** What comes by ports that are not settled waits from now on, for so long. */
  stayAwake(ms: number): void;
  /** What is known of who sent by a port before it was settled. */
  stateOfPort(index: number): PortState;
  /** Tells of sandboxes whose ports have changed by now before it returns. */
  lookNow(): void;
  /** Forgets sandboxes and ports that are no more, those of earlier runs among them. */
  retain(isLive: (sandbox: string) => boolean): void;
  /** Whether nothing comes in or goes out by any port of a sandbox, read from the kernel; false without a port. */
  isCutOff(sandbox: string): boolean;
  /** Puts back what somebody took away. */
  heal(): void;
  /** Lets everything pass by every port, and guards none from now on. */
  release(): void;
  /** The kernel keeps everything, for who comes next. */
  close(): void;
}

interface PortsAndSenders {
  readonly its: readonly Port[];
  /** The addresses that they may send from. */
  readonly senders: readonly IpAddress[];
  /** And the link-local ones, by bridge. */
  readonly linkLocal: ReadonlyMap<string, readonly IpAddress[]>;
}

/** Takes over what an earlier run left in the kernel. */
export function createStandings(options: StandingsOptions): Standings {
  const { indexNow, unknownSandboxesNow } = options;
  let table = options.guardPorts ? openPortTable() : undefined;
  const ports = openPorts({
    readiness: options.readiness,
    onChange: options.onChange,
    onGone: forgetPorts,
    onProblem: options.onProblem,
  });
  let settling: Settling | undefined;
  const guardedEntries = createSandboxEntries(options.sets, "guarded");
  const cutOff = createSandboxEntries(options.sets, "quarantine");

  const linkLocals = new LinkLocalOwners(options.isHosts);

  /** Since when a sandbox is on bridges that the engine has not told of. */
  const strangeSince = new Map<string, ReadonlyMap<string, number>>();

  /** A bridge that is in no list which began after it was met is not the engine's. */
  function awaitsList(sandbox: string, strange: readonly string[]): boolean {
    const before = strangeSince.get(sandbox);
    const since = new Map(strange.map((bridge) => [bridge, before?.get(bridge) ?? options.nowMs()]));
    if (since.size === 0) strangeSince.delete(sandbox);
    else strangeSince.set(sandbox, since);
    return [...since.values()].some((metAtMs) => options.listedAtMs() <= metAtMs);
  }

  /** Whether no other sandbox has a better right to an address that the engine did not give to this one. */
  function isFree(asker: Asker & { readonly sandbox: string }, address: IpAddress): boolean {
    const { sandbox } = asker;
    const index = indexNow();
    const hasNow = (other: string): boolean => options.holdersOf(address).has(other);
    if (!index.mayOwn(sandbox, address, hasNow)) return false;
    // Who has just come has it from the engine.
    return !index.isKnown(asker) || [...options.holdersOf(address)].every((holder) => holder === sandbox);
  }

  /** What fails leaves its container without a way out, or cut off as it was. @returns whether it was done */
  function attempt(whose: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      options.onProblem(`${whose}: ${messageOf(error)}`);
      return false;
    }
  }

  function forgetPorts(): void {
    attempt("ports that are gone", () => table?.retain(ports.isPresent));
    attempt("ports that are gone", () => settling?.retain());
  }

  function cutPorts(
    sandbox: string,
    { its, senders }: Pick<PortsAndSenders, "its" | "senders">,
    cut: boolean,
  ): void {
    cutOff.put(sandbox, cut ? senders.map((address) => ({ address })) : []);
    attempt(portsOf(sandbox), () => {
      const bothWays = table !== undefined && its.map((port) => table?.cut(port, cut)).every((both) => both);
      if (!bothWays) options.cutInside(sandbox, cut);
    });
  }

  function guardPorts(sandbox: string, { its, ...may }: PortsAndSenders, isGuarded: boolean): boolean {
    return attempt(portsOf(sandbox), () => {
      for (const port of its) {
        if (isGuarded) guard(port, may);
        else table?.open(port.index);
      }
    });
  }

  /** @returns whether all of it is in force */
  function putGuards(sandbox: string, found: PortsAndSenders, isGuarded: boolean): boolean {
    const bridges = found.its.flatMap(({ bridge }) => bridge ?? []);
    guardedEntries.put(sandbox, isGuarded ? indexNow().guardedAddressesOf(found.senders, bridges) : []);
    return guardPorts(sandbox, found, isGuarded);
  }

  /** By its ports alone it is on no guarded network; what the engine has of it may tell of one that it has not joined yet. */
  function mayBeOnBoth({ kind }: Standing, asker: Asker): boolean {
    return settling !== undefined && kind === "open" && options.isUnheard(asker);
  }

  function settle(sandbox: string, its: readonly Port[], state: PortState): void {
    // One that is on no bridge yet has no guard either.
    const onBridges = its.filter(({ bridge }) => bridge !== undefined);
    attempt(portsOf(sandbox), () => settling?.judged(sandbox, onBridges, state));
  }

  function guard(port: Port, { senders, linkLocal }: Omit<PortsAndSenders, "its">): void {
    if (port.bridge === undefined) return;
    const network = indexNow().networkOn(port.bridge);
    table?.guard(port, {
      senders,
      neighbourhood: network?.subnets ?? [],
      linkLocal: linkLocal.get(port.bridge) ?? [],
      linkLocalMay: network?.guarded === true ? "judged" : "discovery",
    });
  }

  return {
    appear: ports.appear,

    enforce(sandbox, found) {
      const addresses = [...new Set(found.addresses.map(({ address }) => address))];
      const index = indexNow();
      const unknownSandboxes = unknownSandboxesNow();
      const its = ports.of(sandbox);
      const bridges = its.flatMap(({ bridge }) => bridge ?? []);
      const asker = options.meet(sandbox, addresses);
      const strange = index.strangersAmong(bridges);
      const known = bridges.filter((bridge) => !strange.includes(bridge));
      const standing = index.standingOfSandbox(sandbox, addresses, known);
      const quarantine = unknownSandboxes.quarantineOf(asker, standing.kind === "guarded");
      const joins = standing.kind === "open" && unknownSandboxes.mayJoin(asker, index.networksOn(bridges));
      const awaited = awaitsList(sandbox, strange) && standing.kind !== "guarded";
      const undecided = quarantine === "maybe" || joins || awaited;
      const unheard = mayBeOnBoth(standing, asker);
      options.markUndecided(sandbox, undecided || unheard);
      if (standing.kind === "guarded") options.hearOf(asker);
      const senders = index.sendersOf(asker, bridges, (address) => isFree(asker, address));
      for (const address of senders) options.own(address, sandbox);
      const linkLocal = linkLocals.claim(sandbox, bridges, linkLocalBeside(senders, found));
      // What an earlier run knew of a sandbox counts until this one does.
      if (quarantine !== "unread") cutPorts(sandbox, { its, senders }, quarantine !== "no");
      const isGuarded = standing.kind === "guarded" || joins;
      const inForce =
        standing.kind !== "unknown" && putGuards(sandbox, { its, senders, linkLocal }, isGuarded);
      settle(sandbox, its, inForce && !undecided && !unheard ? standing.kind : "unknown");
      return undecided ? { kind: "unknown" } : standing;
    },

    gone(sandbox) {
      guardedEntries.put(sandbox, []);
      cutOff.put(sandbox, []);
      strangeSince.delete(sandbox);
      settling?.gone(sandbox);
      linkLocals.gone(sandbox);
      ports.gone(sandbox);
    },

    lookNow: ports.lookNow,

    settlePorts() {
      const { isComplete, nowMs } = options;
      if (table !== undefined) settling ??= createSettling({ ports, isComplete, nowMs });
    },

    stayAwake: (ms) => settling?.stayAwake(ms),

    stateOfPort: (index) => settling?.stateOf(index) ?? "open",

    retain(isLive) {
      for (const entries of [guardedEntries, cutOff]) entries.retain(isLive);
      forgetPorts();
    },

    isCutOff(sandbox) {
      const its = ports.of(sandbox);
      if (its.length === 0) return false;
      return its.every(({ index }) => table?.isCut(index)) || options.isCutInside(sandbox);
    },

    heal() {
      attempt("the host's ports", () => table?.heal());
      attempt("the host's bridges", () => settling?.heal());
    },

    release() {
      settling?.close();
      settling = undefined;
      table?.remove();
      table?.close();
      table = undefined;
    },

    close() {
      settling?.close();
      table?.close();
    },
  };
}

/** Those of interfaces by which it is known: an engine or a VPN inside of it makes others, with addresses of their own. */
function linkLocalBeside(
  senders: readonly IpAddress[],
  { addresses, linkLocal }: SandboxAddresses,
): IpAddress[] {
  const known = new Set(
    addresses.filter(({ address }) => senders.includes(address)).map(({ index }) => index),
  );
  return linkLocal.filter(({ index }) => known.has(index)).map(({ address }) => address);
}

function portsOf(sandbox: string): string {
  return `the ports of sandbox ${sandbox}`;
}
