// The addresses that a sandbox may send from: those that no other sandbox has a better right to.

import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import { LinkLocalOwners } from "../../core/askers/link-local-owners.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { SandboxAddresses } from "../../edge/sandbox/addresses.ts";

export interface SendersOptions {
  readonly indexNow: () => Pick<AskerIndex, "sendersOf" | "mayOwn" | "isKnown">;
  /** The sandboxes that have it now. */
  readonly holdersOf: (address: IpAddress) => ReadonlySet<string>;
  /** Whether the host itself has it, as far as that was read. */
  readonly isHosts: (address: IpAddress) => boolean;
}

export interface SenderAddresses {
  readonly senders: readonly IpAddress[];
  /** And the link-local ones, by bridge. */
  readonly linkLocal: ReadonlyMap<string, readonly IpAddress[]>;
}

export class Senders {
  readonly #options: SendersOptions;
  readonly #linkLocals: LinkLocalOwners;

  constructor(options: SendersOptions) {
    this.#options = options;
    this.#linkLocals = new LinkLocalOwners(options.isHosts);
  }

  /** Those of a sandbox that was found with these addresses on these bridges; it owns the link-local ones from now on. */
  claim(
    asker: Asker & { readonly sandbox: string },
    bridges: readonly string[],
    found: SandboxAddresses,
  ): SenderAddresses {
    const index = this.#options.indexNow();
    const senders = index.sendersOf(asker, bridges, (address) => this.#isFree(asker, address));
    const linkLocal = this.#linkLocals.claim(asker.sandbox, bridges, linkLocalBeside(senders, found));
    return { senders, linkLocal };
  }

  gone(sandbox: string): void {
    this.#linkLocals.gone(sandbox);
  }

  /** Whether no other sandbox has a better right to an address that the engine did not give to this one. */
  #isFree(asker: Asker & { readonly sandbox: string }, address: IpAddress): boolean {
    const { sandbox } = asker;
    const { indexNow, holdersOf } = this.#options;
    const index = indexNow();
    if (!index.mayOwn(sandbox, address, (other) => holdersOf(address).has(other))) return false;
    // Who has just come has it from the engine.
    return !index.isKnown(asker) || [...holdersOf(address)].every((holder) => holder === sandbox);
  }
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
