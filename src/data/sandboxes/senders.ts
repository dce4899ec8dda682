// The addresses that a sandbox may send from, and be granted something at: those that no other sandbox has a better right
// to. What the engine gave to one that is on the network is its own, were it on an interface that it has moved; what it did
// not give belongs to the host, if that has it, or else to who claimed it first.

import { AddressClaims, type ClaimChange } from "../../core/askers/address-claims.ts";
import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import { LinkLocalOwners } from "../../core/askers/link-local-owners.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { FoundAddresses, SandboxAddress } from "../../edge/sandbox/addresses.ts";
import { bridgesOf, type Port } from "../../edge/sandbox/ports/ports.ts";

/** What is asked of a port of a sandbox. */
export type SenderPort = Pick<Port, "bridge" | "peer">;

export interface SendersOptions {
  readonly indexNow: () => Pick<AskerIndex, "sendersOf" | "givenTo" | "isBlank">;
  readonly portsOf: (sandbox: string) => readonly SenderPort[];
  /** The sandboxes that have it on now. */
  readonly holdersOf: (address: IpAddress) => ReadonlySet<string>;
  /** The sandbox that an earlier run knew at an address. */
  readonly ownerOf: (address: IpAddress) => string | undefined;
  /** Those that an earlier run has let a link-local address in of on a bridge; undefined: one that is not known yet. */
  readonly linkLocalBefore: (address: IpAddress, bridge: string) => readonly (string | undefined)[];
  /** Whether there may be one of that name; undefined: one that is not known yet. */
  readonly mayBeThere: (sandbox: string | undefined) => boolean;
  /** Whether all addresses that a sandbox has on were read. */
  readonly isRead: (sandbox: string) => boolean;
  /** Whether the host itself has it, as far as that was read. */
  readonly isHosts: (address: IpAddress) => boolean;
}

export interface SenderAddresses {
  readonly senders: readonly IpAddress[];
  /** And the link-local ones, by bridge. */
  readonly linkLocal: ReadonlyMap<string, readonly IpAddress[]>;
}

/** What is free now that one has given up what it had. */
export interface Handover {
  /** The addresses that are nobody's from now on; no link-local ones. */
  readonly released: readonly IpAddress[];
  /** Other sandboxes that have on what has come free: they are to be judged anew. */
  readonly heirs: ReadonlySet<string>;
}

export interface SenderChange extends ClaimChange, Handover {}

export class Senders {
  readonly #options: SendersOptions;
  readonly #claims = new AddressClaims();
  readonly #linkLocals: LinkLocalOwners;
  /** Who was refused something because an earlier run knew it to be another's, by that other. */
  readonly #waiting = new Map<string, Set<string>>();

  constructor(options: SendersOptions) {
    this.#options = options;
    this.#linkLocals = new LinkLocalOwners((address, bridge, sandbox) =>
      this.#mayBeAnothers(address, bridge, sandbox),
    );
  }

  /** Those of a sandbox that was found with these addresses, and has these ports; it owns them from now on. */
  claim(
    asker: Asker & { readonly sandbox: string },
    its: readonly SenderPort[],
    found: FoundAddresses,
  ): SenderAddresses & SenderChange {
    const { sandbox } = asker;
    const isOn = new Set(found.addresses.map(({ address }) => address));
    const senders = this.#options
      .indexNow()
      .sendersOf(asker, bridgesOf(its), (address) => this.#mayClaim(sandbox, address, isOn.has(address)));
    const { own, heirs } = this.#linkLocals.claim(sandbox, linkLocalOn(its, linkLocalBeside(senders, found)));
    const { released, losers } = this.#claims.claim(sandbox, senders);
    return { senders, linkLocal: own, losers, ...this.#handOver(sandbox, released, heirs) };
  }

  gone(sandbox: string): Handover {
    const heirs = this.#linkLocals.gone(sandbox);
    const handover = this.#handOver(sandbox, this.#claims.gone(sandbox), heirs);
    this.#waiting.delete(sandbox);
    return handover;
  }

  /** Others may have on what is free now, such as floating addresses. */
  #handOver(sandbox: string, released: readonly IpAddress[], linkLocalHeirs: ReadonlySet<string>): Handover {
    const { holdersOf } = this.#options;
    const holders = released.flatMap((address) => [...holdersOf(address)]);
    const heirs = new Set([...linkLocalHeirs, ...holders, ...this.#takeWaiting(sandbox)]);
    heirs.delete(sandbox);
    return { released, heirs };
  }

  /** Those that waited until this one was looked at. */
  #takeWaiting(sandbox: string): ReadonlySet<string> {
    const waiting = this.#waiting.get(sandbox);
    if (waiting === undefined || this.#keepsWhatItHad(sandbox)) return new Set();
    this.#waiting.delete(sandbox);
    return waiting;
  }

  #waitFor(before: string, sandbox: string): void {
    if (before === sandbox) return;
    this.#waiting.set(before, (this.#waiting.get(before) ?? new Set()).add(sandbox));
  }

  /** The engine tells late, that a container is there and that it is gone: who has an address on counts as well. */
  #mayClaim(sandbox: string, address: IpAddress, isOn: boolean): boolean {
    const { holdersOf, isRead, isHosts } = this.#options;
    const givenTo = this.#givenTo(address, sandbox, isOn);
    if (givenTo !== undefined) return givenTo === sandbox;
    // Its neighbours would send to it what is meant for the host.
    if (isHosts(address)) return false;
    const holders = holdersOf(address);
    // What the engine gave, and what is on no more, is another's that has it on.
    if (!isOn && isRead(sandbox) && holders.size > 0) return false;
    const owner = this.#ownerOf(address, sandbox);
    return owner === undefined || owner === sandbox || (isOn && this.#hasTakenOff(owner, address));
  }

  /** The one that the engine gave it to, as long as that one may use it. */
  #givenTo(address: IpAddress, sandbox: string, isOn: boolean): string | undefined {
    const { indexNow, holdersOf, mayBeThere, portsOf } = this.#options;
    const { sandbox: its, bridge } = indexNow().givenTo(address) ?? {};
    if (its === undefined) return undefined;
    const hasItOn = its === sandbox ? isOn : holdersOf(address).has(its);
    const isOnNetwork = mayBeThere(its) && bridge !== undefined && bridgesOf(portsOf(its)).includes(bridge);
    return hasItOn || isOnNetwork ? its : undefined;
  }

  /** An earlier run's owner that was not looked at yet may have it on. */
  #hasTakenOff(owner: string, address: IpAddress): boolean {
    const { holdersOf, isRead } = this.#options;
    return this.#claims.ownerOf(address) === owner && isRead(owner) && !holdersOf(address).has(owner);
  }

  /** @param sandbox the one that wants it: where an earlier run's owner keeps it, it waits for that one */
  #ownerOf(address: IpAddress, sandbox: string): string | undefined {
    const claimed = this.#claims.ownerOf(address);
    if (claimed !== undefined) return claimed;
    const before = this.#options.ownerOf(address);
    if (before === undefined || !this.#keepsWhatItHad(before)) return undefined;
    this.#waitFor(before, sandbox);
    return before;
  }

  /**
   * One that an earlier run knew keeps what it had until it was looked at; and until the engine has told what it gave,
   * if it is on a network: an interface that it has moved cannot be looked at.
   */
  #keepsWhatItHad(before: string | undefined): boolean {
    const { indexNow, mayBeThere, isRead, portsOf } = this.#options;
    if (!mayBeThere(before)) return false;
    if (before === undefined || !this.#claims.hasClaimed(before) || !isRead(before)) return true;
    return indexNow().isBlank && bridgesOf(portsOf(before)).length > 0;
  }

  #mayBeAnothers(address: IpAddress, bridge: string, sandbox: string): boolean {
    const { isHosts, linkLocalBefore } = this.#options;
    if (isHosts(address)) return true;
    const before = linkLocalBefore(address, bridge);
    const owners = before.filter((each) => each !== sandbox && this.#keepsWhatItHad(each));
    for (const each of owners) if (each !== undefined) this.#waitFor(each, sandbox);
    return owners.length > 0;
  }
}

/** Those of interfaces by which it is known: an engine or a VPN inside of it makes others, with addresses of their own. */
function linkLocalBeside(
  senders: readonly IpAddress[],
  { addresses, linkLocal }: FoundAddresses,
): readonly SandboxAddress[] {
  const known = new Set(
    addresses.filter(({ address }) => senders.includes(address)).map(({ index }) => index),
  );
  return linkLocal.filter(({ index }) => known.has(index));
}

/** By the bridge of the interface that has them. One that is no end of a port, such as a bond, may be above any. */
function linkLocalOn(
  its: readonly SenderPort[],
  linkLocal: readonly SandboxAddress[],
): ReadonlyMap<string, readonly IpAddress[]> {
  const ends = new Set(its.flatMap(({ peer }) => peer ?? []));
  const byBridge = new Map<string, readonly IpAddress[]>();
  for (const { bridge, peer } of its) {
    if (bridge === undefined) continue;
    const here = linkLocal.filter(({ index }) => index === peer || !ends.has(index));
    byBridge.set(bridge, [
      ...new Set([...(byBridge.get(bridge) ?? []), ...here.map(({ address }) => address)]),
    ]);
  }
  return byBridge;
}
