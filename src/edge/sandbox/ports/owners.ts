// Whose each port of the host is, by what the kernel has told of the host's interfaces. Once a sandbox's, a port stays
// that sandbox's until it is gone.

import type { KernelLink } from "../../kernel/netlink/links.ts";

export class PortOwners {
  readonly #sandboxIn: (namespaceId: number) => string | undefined;
  readonly #owners = new Map<number, string>();
  readonly #owned = new Map<string, Set<number>>();
  /** Ports of bridges whose other end is in no namespace that we know of, or was in none when we last looked. */
  readonly #strangers = new Set<number>();

  constructor(sandboxIn: (namespaceId: number) => string | undefined) {
    this.#sandboxIn = sandboxIn;
  }

  /** An interface has come, or has changed. @returns the sandbox whose ports are others now */
  place(link: KernelLink): string | undefined {
    const owner = this.#owners.get(link.index);
    if (owner !== undefined) return owner;
    if (link.kind !== "veth") return undefined;
    const sandbox = link.peerNamespace === undefined ? undefined : this.#sandboxIn(link.peerNamespace);
    if (sandbox === undefined) {
      this.#strangers.add(link.index);
      return undefined;
    }
    this.#own(link.index, sandbox);
    return sandbox;
  }

  /** A port that has been a sandbox's before we came, if it is nobody else's. */
  adopt(index: number, sandbox: string): void {
    if (this.#strangers.has(index)) this.#own(index, sandbox);
  }

  /** An interface is gone. @returns whether it was a port, and whose */
  remove(index: number): { readonly wasPort: boolean; readonly owner: string | undefined } {
    const owner = this.#owners.get(index);
    const wasPort = this.#strangers.delete(index) || owner !== undefined;
    if (owner === undefined) return { wasPort, owner };
    this.#owners.delete(index);
    const its = this.#owned.get(owner);
    its?.delete(index);
    if (its?.size === 0) this.#owned.delete(owner);
    return { wasPort, owner };
  }

  /** One that was never told to be gone. */
  forgetStranger(index: number): void {
    this.#strangers.delete(index);
  }

  /** The indexes of ports of no sandbox, as far as is known. */
  strangers(): readonly number[] {
    return [...this.#strangers];
  }

  ownerOf(index: number): string | undefined {
    return this.#owners.get(index);
  }

  /** Ports of sandboxes by their index, and whose they are. */
  all(): ReadonlyMap<number, string> {
    return this.#owners;
  }

  /** Indexes. */
  portsOf(sandbox: string): readonly number[] {
    return [...(this.#owned.get(sandbox) ?? [])];
  }
  #own(index: number, sandbox: string): void {
    this.#strangers.delete(index);
    this.#owners.set(index, sandbox);
    this.#owned.set(sandbox, (this.#owned.get(sandbox) ?? new Set()).add(index));
  }
}
