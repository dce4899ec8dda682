// What the standings of sandboxes ask of the rest of the data plane, and what they tell it.

import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import type { UnknownSandboxes } from "../../core/askers/unknown-sandboxes.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Container } from "../../core/model/topology.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { PortTable } from "../../edge/kernel/nftables/host/port-table.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import type { PortPair } from "../../edge/sandbox/ports/offload-notes.ts";
import type { openPorts } from "../../edge/sandbox/ports/ports.ts";

export interface StandingsOptions {
  readonly sets: KernelSets;
  readonly readiness: Readiness;
  readonly openPorts: typeof openPorts;
  /** Closed with the standings; undefined where what comes in by the ports of the host is not guarded there. */
  readonly table: PortTable | undefined;
  readonly engine: EngineView;
  readonly owners: AddressOwners;
  readonly found: SandboxView;
  /** By the clock of the readings. */
  readonly nowMs: () => number;
  /** Something has changed by which these may stand elsewhere now; they are to be judged after those that are now. */
  readonly onChange: (sandboxes: readonly string[]) => void;
  /** Rules must look through more than the first part of the set of guarded addresses now. */
  readonly onSecondPart: () => void;
  /** What there is to say of interfaces that nothing may leave by, one sentence for each container. */
  readonly onForeignInterfaces: (sentences: readonly string[]) => void;
  readonly onProblem: (problem: string) => void;
}

/** What the engine has told, and how it is asked for more. */
export interface EngineView {
  readonly indexNow: () => AskerIndex;
  readonly unknownSandboxesNow: () => UnknownSandboxes;
  /** What is known of a sandbox that is there. */
  readonly meet: (sandbox: string, addresses: readonly IpAddress[]) => Asker & { readonly sandbox: string };
  /** It will be told what the engine has of a guarded one. */
  readonly hearOf: (asker: Asker) => void;
  /** The engine has not told of it, and no list that began since it appeared. */
  readonly isUnheard: (asker: Asker) => boolean;
  /** Whether anything in its sandbox may put frames on a wire by hand. */
  readonly mayForge: (asker: Asker) => boolean;
  /** Who it is, if the engine has told. */
  readonly whoIs: (asker: Asker) => Container | undefined;
  /** Whether a container in its sandbox may make interfaces there. */
  readonly mayMakeInterfaces: (asker: Asker) => boolean;
  /** Whether it is not certain yet that nothing need be done about it; it is judged again when more is known. */
  readonly markUndecided: (sandbox: string, isUndecided: boolean) => void;
  /** When the last list of the engine's networks and containers began. */
  readonly listedAtMs: () => number;
}

/** Whose addresses are, and what was granted to them there. */
export interface AddressOwners {
  /**
   * A sandbox has these addresses: grants that an earlier holder of them had must not be inherited.
   * @returns those from which it may send by now
   */
  readonly own: (addresses: readonly IpAddress[], sandbox: string) => readonly IpAddress[];
  /** It has it no longer: what was granted to it there is taken away. */
  readonly lost: (address: IpAddress, sandbox: string) => void;
  /** The sandbox that was last known to have an address, in an earlier run too. */
  readonly ownerOf: (address: IpAddress) => string | undefined;
}

/** The sandboxes and addresses that were found on this host, and what is done inside of them. */
export interface SandboxView {
  /** Whether every sandbox that there is was seen. */
  readonly isComplete: () => boolean;
  /** Whether there may be one of that name; undefined: one that is not known yet. */
  readonly mayBeThere: (sandbox: string | undefined) => boolean;
  /** Whether all addresses that a sandbox has on were read. */
  readonly isRead: (sandbox: string) => boolean;
  /** The sandboxes that have it on now. */
  readonly holdersOf: (address: IpAddress) => ReadonlySet<string>;
  /** Whether the host itself has it, as far as that was read. */
  readonly isHosts: (address: IpAddress) => boolean;
  /** Whether a sandbox belongs to another user namespace than the host's. */
  readonly hasOwnUsers: (sandbox: string) => boolean;
  /** Cuts a sandbox off inside of it, where that cannot be done at its ports. */
  readonly cutInside: (sandbox: string, cut: boolean) => void;
  readonly isCutInside: (sandbox: string) => boolean;
  /** See Sandboxes. */
  readonly keepChecksums: (sandbox: string, pairs: readonly PortPair[]) => boolean;
  readonly giveBackChecksums: (sandbox: string) => void;
}
