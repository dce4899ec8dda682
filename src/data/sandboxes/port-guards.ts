// What the kernel lets through the ports of each sandbox: what may come in by them, and whether anything may.

import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import { type Cut, cutOfAll } from "../../core/cut.ts";
import type { PortGuard } from "../../core/firewall/port-guard.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { PortGuardDemand, PortTable } from "../../edge/kernel/nftables/host/port-table.ts";
import type { Port } from "../../edge/sandbox/ports/ports.ts";
import { portsOf, type SandboxAttempts, type TryFor } from "./attempt.ts";
import { addressesOf, LetIn, type Trespass } from "./let-in.ts";
import type { SenderAddresses } from "./senders.ts";

export interface PortGuardsOptions {
  /** Undefined where what comes in by ports is not guarded there. */
  readonly table: PortTable | undefined;
  readonly networkOn: AskerIndex["networkOn"];
  /** The bridge that a port is on now. */
  readonly bridgeOf: (index: number) => string | undefined;
  /** Cuts a sandbox off inside of it: what else leads out of it than its ports, such as a card that a hand has put there. */
  readonly cutInside: (sandbox: string, cut: boolean) => void;
  readonly isCutInside: (sandbox: string) => boolean;
  readonly attempt: TryFor;
  /** The same of what is tried as a sandbox is judged. */
  readonly attemptOf: SandboxAttempts["attempt"];
}

/** A chain that is not in force yet. */
interface Staged extends PortGuardDemand {
  readonly port: Port;
  readonly sandbox: string;
}

export class PortGuards {
  readonly #options: PortGuardsOptions;
  readonly #letIn: LetIn;
  /** By the index of the port. */
  readonly #staged = new Map<number, Staged>();
  /** The sandboxes of which the kernel has refused something since the last commit(). */
  #refused = new Set<string>();
  /** The sandboxes that are known not to be cut off inside. */
  readonly #uncutInside = new Set<string>();
  #table: PortTable | undefined;

  /** Takes over what an earlier run lets in by ports. */
  constructor(options: PortGuardsOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#letIn = new LetIn(options.bridgeOf);
    for (const [index, addresses] of options.table?.inherited() ?? []) this.#letIn.found(index, addresses);
  }

  /** Whether ports are guarded at all: not after release(). */
  get areInForce(): boolean {
    return this.#table !== undefined;
  }

  /**
   * What may let in less than the chain in whose place it comes is in force on return; all else with flush().
   * @returns false where something was refused
   */
  put(sandbox: string, its: readonly Port[], may: SenderAddresses, isGuarded: boolean): boolean {
    return this.#options.attemptOf(sandbox, portsOf(sandbox), () => {
      if (!isGuarded) {
        for (const { index } of its) this.#open(index);
        return;
      }
      const neighbourhoods = [
        ...new Set(its.flatMap(({ bridge }) => this.#networkOn(bridge)?.subnets ?? [])),
      ];
      for (const port of its) this.#guard(sandbox, port, may, neighbourhoods);
    });
  }

  /** Puts into force what was demanded, in as few steps as it takes. What is refused of one keeps back no other. */
  flush(): void {
    const staged = [...this.#staged.values()];
    this.#staged.clear();
    const refusals = staged.length === 0 ? undefined : this.#table?.guardAll(staged);
    for (const { sandbox, port, guard } of staged) {
      const done = this.#options.attemptOf(sandbox, portsOf(sandbox), () => {
        const refusal = refusals?.get(port.index);
        if (refusal === undefined) this.#letIn.put(port, guard);
        else {
          this.#letIn.mayPut(port, guard);
          throw refusal;
        }
      });
      if (!done) this.#refused.add(sandbox);
    }
  }

  /** The same at the end of a turn of work. @returns the sandboxes of which something was refused since the last */
  commit(): ReadonlySet<string> {
    this.flush();
    const refused = this.#refused;
    this.#refused = new Set();
    return refused;
  }

  /** What was demanded for a sandbox, and is not in force yet, counts no more. */
  forget(sandbox: string): void {
    for (const [index, staged] of this.#staged) if (staged.sandbox === sandbox) this.#staged.delete(index);
  }

  /** What is its own, ports of others let in no more. @returns whether that is in force */
  withhold(sandbox: string, its: readonly Port[], own: SenderAddresses): boolean {
    const isOwn = isAmong(own);
    if ([...this.#staged.values()].some(({ guard }) => addressesOf(guard).some(isOwn))) this.flush();
    return this.#options.attemptOf(sandbox, portsOf(sandbox), () => {
      for (const trespass of this.#letIn.beside(its, own)) this.#withhold(trespass);
    });
  }

  /** What an earlier run lets in by ports that were not guarded anew yet. */
  inherited(): ReturnType<LetIn["inherited"]> {
    return this.#letIn.inherited();
  }

  /** The ports on a bridge that an earlier run has let an address in by, and that were not guarded anew yet. */
  inheritedAt(address: IpAddress, bridge: string): readonly number[] {
    return this.#letIn.inheritedAt(address, bridge);
  }

  /** @returns whether all of it was done */
  cut(sandbox: string, its: readonly Port[], cut: boolean): boolean {
    const { attemptOf } = this.#options;
    const isDoneAtPorts = attemptOf(sandbox, portsOf(sandbox), () => {
      for (const port of its) this.#table?.cut(port, cut);
    });
    const isDoneInside = attemptOf(sandbox, `sandbox ${sandbox}`, () => this.#cutInside(sandbox, cut));
    return isDoneAtPorts && isDoneInside;
  }

  gone(sandbox: string): void {
    this.#uncutInside.delete(sandbox);
  }

  /**
   * How far it is cut off, by its ports and inside, read from the kernel: frames that are put on a wire by hand pass the
   * table inside, and what was moved into it by hand leads past its ports. Without a port it is not known to be wholly.
   */
  cutOf(sandbox: string, its: readonly Port[]): Cut {
    const atPorts = cutOfAll(its.map(({ index }) => this.#table?.cutOf(index) ?? "none"));
    const isInside = this.#options.isCutInside(sandbox);
    if (atPorts === "none") return isInside ? "partly" : "none";
    return isInside ? atPorts : "partly";
  }

  retain(isPresent: (index: number) => boolean): void {
    this.#letIn.retain(isPresent);
    this.#options.attempt("ports that are gone", () => this.#table?.retain(isPresent));
  }

  /** Puts back what another program took away. */
  heal(): void {
    this.#options.attempt("the host's ports", () => this.#table?.heal());
  }

  /** Lets everything pass by every port, and guards none from now on. */
  release(): void {
    const table = this.#table;
    this.#table = undefined;
    try {
      table?.remove();
    } finally {
      // As long as it is ours, nobody else can remove it.
      table?.close();
    }
  }

  /** The kernel keeps everything, for who comes next. */
  close(): void {
    this.#table?.close();
  }

  /** It is looked at once only that nothing of an earlier run's cuts it off. */
  #cutInside(sandbox: string, cut: boolean): void {
    if (!cut && this.#uncutInside.has(sandbox)) return;
    this.#uncutInside.delete(sandbox);
    this.#options.cutInside(sandbox, cut);
    if (!cut) this.#uncutInside.add(sandbox);
  }

  #networkOn(bridge: string | undefined): ReturnType<AskerIndex["networkOn"]> {
    return bridge === undefined ? undefined : this.#options.networkOn(bridge);
  }

  #guard(
    sandbox: string,
    port: Port,
    { senders, linkLocal }: SenderAddresses,
    neighbourhoods: PortGuard["neighbourhoods"],
  ): void {
    if (port.bridge === undefined) return;
    const network = this.#networkOn(port.bridge);
    const mayPass = network?.isEnslaved !== true;
    const guard: PortGuard = {
      senders: mayPass ? senders : [],
      neighbourhood: network?.subnets ?? [],
      neighbourhoods,
      bridgeMac: port.bridgeMac,
      linkLocal: mayPass ? (linkLocal.get(port.bridge) ?? []) : [],
      linkLocalMay: network?.guarded === true ? "judged" : "discovery",
    };
    if (this.#letIn.mayShrink(port.index, guard)) this.#put(port, guard);
    else this.#staged.set(port.index, { sandbox, port, guard });
  }

  #put(port: Port, guard: PortGuard): void {
    this.#staged.delete(port.index);
    this.#letIn.mayPut(port, guard);
    this.#table?.guard(port, guard);
    this.#letIn.put(port, guard);
  }

  #open(index: number): void {
    this.#staged.delete(index);
    this.#table?.open(index);
    this.#letIn.forget(index);
  }

  #withhold({ index, made, addresses }: Trespass): void {
    try {
      if (made === undefined) this.#shut(index, addresses);
      else this.#put(made.port, without(made.guard, addresses));
    } catch {
      // Its device may be gone. Without a chain nothing that comes by it is marked.
      this.#open(index);
    }
  }

  /** What else an earlier run lets in there goes on. */
  #shut(index: number, addresses: readonly IpAddress[]): void {
    this.#table?.shut(index, addresses);
    this.#letIn.shut(index, addresses);
  }
}

function isAmong({ senders, linkLocal }: SenderAddresses): (address: IpAddress) => boolean {
  const all = new Set([...senders, ...[...linkLocal.values()].flat()]);
  return (address) => all.has(address);
}

function without(guard: PortGuard, addresses: readonly IpAddress[]): PortGuard {
  const remain = (all: readonly IpAddress[]): IpAddress[] => all.filter((each) => !addresses.includes(each));
  return { ...guard, senders: remain(guard.senders), linkLocal: remain(guard.linkLocal) };
}
