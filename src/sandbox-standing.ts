// Where a sandbox stands, and what that demands of the kernel: the addresses by which it is guarded on its other
// networks, what may come in by its ports, and whether it is cut off. All of it is in the kernel before anybody is told
// where the sandbox stands, and before the engine tells whose it is.

import type { AskerIndex, Standing } from "./dns/asker.ts";
import type { Newcomers } from "./dns/newcomers.ts";
import type { Doubts } from "./doubts.ts";
import { messageOf } from "./errors.ts";
import type { KernelSets } from "./io/ipset.ts";
import { openPortTable } from "./io/port-table.ts";
import { openPorts, type Port } from "./io/ports.ts";
import type { Readiness } from "./io/readiness.ts";
import type { IpAddress } from "./model/address.ts";
import { createSandboxEntries } from "./sandbox-entries.ts";

export interface StandingsOptions {
  readonly sets: KernelSets;
  readonly readiness: Readiness;
  /** Whether what comes in by the ports of the host is guarded there. */
  readonly guardPorts: boolean;
  readonly doubts: Doubts;
  readonly indexNow: () => AskerIndex;
  readonly newcomersNow: () => Newcomers;
  /** A sandbox has this address: grants that an earlier holder of it had must not be inherited. */
  readonly own: (address: IpAddress, sandbox: string) => void;
  readonly addressesNow: (sandbox: string) => readonly IpAddress[];
  readonly holdersOf: (address: IpAddress) => ReadonlySet<string>;
  /** Something has changed by which a sandbox may stand elsewhere now. */
  readonly onChange: (sandbox: string) => void;
  readonly onProblem: (problem: string) => void;
}

export interface Standings {
  /** To be told before it is asked about. @param namespaceFd stays open until gone() */
  appear(sandbox: string, namespaceFd: number): void;
  /** What the sandbox demands of the kernel is in there when it returns. */
  of(sandbox: string, addresses: readonly IpAddress[]): Standing;
  gone(sandbox: string): void;
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
}

/** Takes over what an earlier run left in the kernel. */
export function createStandings(options: StandingsOptions): Standings {
  const { doubts, indexNow, newcomersNow } = options;
  let table = options.guardPorts ? openPortTable() : undefined;
  const ports = openPorts({
    readiness: options.readiness,
    onChange: options.onChange,
    onGone: () => attempt("ports that are gone", () => table?.retain(ports.isPresent)),
  });
  const strays = createSandboxEntries(options.sets, "guarded");
  const cutOff = createSandboxEntries(options.sets, "quarantine");

  const isInUse = (sandbox: string): boolean => options.addressesNow(sandbox).length > 0;

  /** Whether no other sandbox has a better right to an address that the engine did not give to this one. */
  function isFree(sandbox: string, address: IpAddress): boolean {
    const index = indexNow();
    const hasNow = (other: string): boolean => options.holdersOf(address).has(other);
    if (!index.mayOwn(sandbox, address, hasNow)) return false;
    // Who has just come has it from the engine.
    return !index.isKnown(sandbox) || [...options.holdersOf(address)].every((holder) => holder === sandbox);
  }

  /** What fails leaves its container without a way out, or cut off as it was. */
  function attempt(whose: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      options.onProblem(`${whose}: ${messageOf(error)}`);
    }
  }

  function cutPorts(sandbox: string, { its, senders }: PortsAndSenders, cut: boolean): void {
    cutOff.put(sandbox, cut ? senders.map((address) => ({ address })) : []);
    attempt(portsOf(sandbox), () => {
      for (const port of its) table?.cut(port, cut);
    });
  }

  function guardPorts(sandbox: string, { its, senders }: PortsAndSenders, isGuarded: boolean): void {
    attempt(portsOf(sandbox), () => {
      for (const port of its) {
        if (isGuarded) guard(port, senders);
        else table?.open(port.index);
      }
    });
  }

  function guard(port: Port, senders: readonly IpAddress[]): void {
    if (port.bridge === undefined) return;
    const network = indexNow().networkOn(port.bridge);
    table?.guard(port, {
      senders,
      neighbourhood: network?.subnets ?? [],
      linkLocal: network?.guarded === true ? "judged" : "discovery",
    });
  }

  return {
    appear: ports.appear,

    of(sandbox, addresses) {
      const index = indexNow();
      const newcomers = newcomersNow();
      const its = ports.of(sandbox);
      const bridges = its.flatMap(({ bridge }) => bridge ?? []);
      const quarantine = newcomers.quarantineOf(sandbox, isInUse);
      const strange = index.strangersAmong(bridges);
      const known = bridges.filter((bridge) => !strange.includes(bridge));
      // A bridge that the engine does not tell of in time is not its own.
      const standing = index.standingOfSandbox(sandbox, addresses, known);
      const joins =
        standing.kind === "open" && newcomers.mayJoin(sandbox, index.networksOn(bridges), isInUse);
      const doubtful = doubts.last(
        sandbox,
        quarantine === "maybe" || joins || (strange.length > 0 && standing.kind !== "guarded"),
      );
      const senders = index.sendersOf(sandbox, addresses, bridges, (address) => isFree(sandbox, address));
      for (const address of senders) options.own(address, sandbox);
      // What an earlier run knew of a sandbox counts until this one does.
      if (quarantine !== "unread")
        cutPorts(sandbox, { its, senders }, quarantine === "yes" || (quarantine === "maybe" && doubtful));
      const isGuarded = standing.kind === "guarded" || (joins && doubtful);
      if (standing.kind !== "unknown") {
        strays.put(sandbox, isGuarded ? index.straysOf(senders, bridges) : []);
        guardPorts(sandbox, { its, senders }, isGuarded);
      }
      return doubtful ? { kind: "unknown" } : standing;
    },

    gone(sandbox) {
      strays.put(sandbox, []);
      cutOff.put(sandbox, []);
      doubts.gone(sandbox);
      ports.gone(sandbox);
    },

    retain(isLive) {
      for (const entries of [strays, cutOff]) entries.retain(isLive);
      attempt("ports that are gone", () => table?.retain(ports.isPresent));
    },

    isCutOff(sandbox) {
      const its = ports.of(sandbox);
      return its.length > 0 && its.every(({ index }) => table?.isCut(index) === true);
    },

    heal: () => attempt("the host's ports", () => table?.heal()),

    release() {
      table?.remove();
      table?.close();
      table = undefined;
    },

    close: () => table?.close(),
  };
}

function portsOf(sandbox: string): string {
  return `the ports of sandbox ${sandbox}`;
}
