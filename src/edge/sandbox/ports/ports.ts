// Which ports of the host belong to which sandbox. A port is the host's end of the pair of interfaces that an engine
// makes for a container. We find it by the namespace of its other end, and it stays its sandbox's for as long as it
// exists: with enough rights a container can move its end to another namespace of its own making.

import { contained, type OnFailure } from "../../../core/contain.ts";
import { messageOf } from "../../../errors.ts";
import { after } from "../../host/every.ts";
import { type LinkWatch, watchLinks } from "../../kernel/netlink/link-watch.ts";
import type { KernelLink } from "../../kernel/netlink/links.ts";
import type { Readiness } from "../../kernel/readiness.ts";
import { PortChanges } from "./changes.ts";
import { SandboxNamespaces } from "./namespaces.ts";
import { PortOwners } from "./owners.ts";

export interface Port {
  readonly index: number;
  readonly name: string;
  /** Name of the bridge that it is on; undefined for one on none. */
  readonly bridge: string | undefined;
  /** That bridge's MAC. */
  readonly bridgeMac?: string | undefined;
  /** Index of its other end, in the sandbox; undefined where the kernel does not tell. */
  readonly peer?: number | undefined;
}

/** The bridges that they are on. */
export function bridgesOf(ports: readonly Pick<Port, "bridge">[]): readonly string[] {
  return ports.flatMap(({ bridge }) => bridge ?? []);
}

export interface PortsOptions {
  readonly readiness: Readiness;
  /** What of() says of sandboxes may have changed. */
  readonly onChange: (sandboxes: readonly string[]) => void;
  /** Ports are no more. */
  readonly onGone: () => void;
  readonly onProblem: (problem: string) => void;
}

export interface Ports {
  /** To be told before it is asked about. @param namespaceFd stays open until gone() */
  appear(sandbox: string, namespaceFd: number): void;
  /** Its ports stay its own until they are gone. */
  gone(sandbox: string): void;
  /** A port has been a sandbox's before we came: it stays its own, if its other end is in no other one. */
  adopt(index: number, sandbox: string): void;
  /** The ports of a sandbox, as the kernel has them now. */
  of(sandbox: string): readonly Port[];
  /** Tells of what has changed by now before it returns. */
  lookNow(): void;
  isPresent(index: number): boolean;
  /** Name of the bridge that a port is on, as far as is known; undefined for one on none. */
  bridgeOf(index: number): string | undefined;
  /** Whose a port is; undefined for one that is no sandbox's, as far as is known. */
  ownerOf(index: number): string | undefined;
  /** One that is no sandbox's, as it was at the last look; undefined when there is none. */
  strangerAt(index: number): Stranger | undefined;
  close(): void;
}

export interface Stranger {
  /** Where what is sent by it comes from: another namespace, our own, or no other end of a pair. */
  readonly leads: "elsewhere" | "here" | "nowhere";
}

/** How soon it is looked again after a failure, as where interfaces come faster than they can be listed, ms. */
const retryMs = 100;

export function openPorts(options: PortsOptions): Ports {
  return new KernelPorts(options);
}

class KernelPorts implements Ports {
  readonly #watch: LinkWatch;
  readonly #namespaces: SandboxNamespaces;
  readonly #owners: PortOwners;
  readonly #changes: PortChanges;
  /** Indexes of those that have changed and are not taken in yet. */
  readonly #unplaced = new Set<number>();
  readonly #onFailure: OnFailure;
  #endRetry: (() => void) | undefined;

  constructor({ readiness, onChange, onGone, onProblem }: PortsOptions) {
    const onFailure = (error: unknown): void => onProblem(`the ports of the host: ${messageOf(error)}`);
    const onEvent = contained(() => this.#takeIn(), onFailure);
    const watch = watchLinks({ readiness, onEvent });
    const namespaces = new SandboxNamespaces((fd) => watch.namespaceId(fd));
    const onChangeOfLive = (sandboxes: readonly string[]): void => {
      const live = sandboxes.filter((sandbox) => namespaces.has(sandbox));
      if (live.length > 0) onChange(live);
    };
    this.#onFailure = onFailure;
    this.#watch = watch;
    this.#namespaces = namespaces;
    this.#owners = new PortOwners((id) => namespaces.sandboxIn(id));
    this.#changes = new PortChanges({ onChange: onChangeOfLive, onGone, onFailure });
    for (const link of watch.links.values()) this.#place(link);
  }

  appear(sandbox: string, namespaceFd: number): void {
    const id = this.#namespaces.add(sandbox, namespaceFd);
    if (id === undefined) return;
    for (const index of this.#owners.strangers()) {
      const link = this.#watch.links.get(index);
      if (link?.peerNamespace === id) this.#place(link);
    }
  }

  gone(sandbox: string): void {
    this.#namespaces.remove(sandbox);
  }

  adopt(index: number, sandbox: string): void {
    this.#owners.adopt(index, sandbox);
  }

  of(sandbox: string): readonly Port[] {
    this.#takeIn();
    // Of an end that moves the kernel tells, but older ones not whereto.
    if (this.#owners.portsOf(sandbox).length === 0) this.#askForStrangers();
    this.#changes.tellLater();
    const { links } = this.#watch;
    return this.#owners.portsOf(sandbox).flatMap((index) => {
      const link = links.get(index);
      if (link === undefined) return [];
      const bridge = this.#masterOf(link);
      return { index, name: link.name, bridge: bridge?.name, bridgeMac: bridge?.mac, peer: link.peer };
    });
  }

  lookNow(): void {
    this.#takeIn();
    this.#askForStrangers();
    this.#changes.tellNow();
  }

  isPresent(index: number): boolean {
    return this.#watch.links.has(index);
  }

  bridgeOf(index: number): string | undefined {
    return this.#masterOf(this.#watch.links.get(index))?.name;
  }

  ownerOf(index: number): string | undefined {
    return this.#owners.ownerOf(index);
  }

  strangerAt(index: number): Stranger | undefined {
    const link = this.#watch.links.get(index);
    if (link === undefined || this.#owners.ownerOf(index) !== undefined) return undefined;
    if (link.kind !== "veth") return { leads: "nowhere" };
    return { leads: link.peerNamespace === undefined ? "here" : "elsewhere" };
  }

  close(): void {
    this.#endRetry?.();
    this.#watch.close();
  }

  /** What could not be taken in is taken in with the next look, and soon: the kernel may have nothing more to say. */
  #takeIn(): void {
    try {
      this.#takeInAll();
    } catch (error) {
      this.#endRetry ??= after(
        retryMs,
        () => {
          this.#endRetry = undefined;
          this.#takeIn();
        },
        this.#onFailure,
      );
      throw error;
    }
  }

  #takeInAll(): void {
    const { changed, gone } = this.#watch.look();
    for (const index of gone) this.#remove(index);
    for (const { index } of changed) this.#unplaced.add(index);
    try {
      for (const index of this.#unplaced) this.#placeChanged(index);
    } finally {
      this.#changes.tellLater();
    }
  }

  #placeChanged(index: number): void {
    const link = this.#watch.links.get(index);
    if (link !== undefined) this.#place(link);
    this.#unplaced.delete(index);
  }

  /** Looks again for those whose other end was not yet in its sandbox when the kernel told of them. */
  #askForStrangers(): void {
    for (const index of this.#owners.strangers()) {
      const before = this.#watch.links.get(index);
      if (before === undefined) this.#owners.forgetStranger(index);
      else if (before.peerNamespace === undefined && before.master !== undefined) {
        const link = this.#watch.ask(index);
        if (link?.peerNamespace !== undefined) this.#place(link);
      }
    }
  }

  #place(link: KernelLink): void {
    const owner = this.#owners.place(link);
    if (owner !== undefined) this.#changes.touch(owner);
    if (link.kind === "bridge") this.#touchPortsOf(link.index);
  }

  /** A bridge may have another MAC now. */
  #touchPortsOf(bridge: number): void {
    for (const [index, owner] of this.#owners.all())
      if (this.#watch.links.get(index)?.master === bridge) this.#changes.touch(owner);
  }

  #masterOf(link: KernelLink | undefined): KernelLink | undefined {
    return link?.master === undefined ? undefined : this.#watch.links.get(link.master);
  }

  #remove(index: number): void {
    const { wasPort, owner } = this.#owners.remove(index);
    if (wasPort) this.#changes.lose();
    if (owner !== undefined) this.#changes.touch(owner);
  }
}
