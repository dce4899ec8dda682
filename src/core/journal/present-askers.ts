// Which asker is at an address now, and which container it is. An asker is one life of an address:
//   - it begins with the first lookup from an address that has none;
//   - it has a container as soon as the engine has told whose the address is; a container that is back at an address goes
//     on where it was;
//   - it leaves its address when that passes on or has another holder: what it asked stays its container's;
//   - it is forgotten with its last row, or with its network.

import type { IpAddress } from "../model/address.ts";
import type { FreshAddress, Holder, Holders } from "./holders.ts";
import { type AskerBounds, type JournalAsker, LookupAskers } from "./lookup-askers.ts";
import { othersLabel } from "./lookup-rows.ts";

interface Former extends Pick<JournalAsker, "networkId" | "container"> {
  readonly asker: string;
}

export class PresentAskers {
  /** Those that have left their addresses too. */
  readonly askers: LookupAskers;
  /** By network and address. */
  readonly #present = new Map<string, JournalAsker>();
  readonly #byContainer = new Map<string, Set<JournalAsker>>();
  #holders: Pick<Holders, "at"> | undefined;

  constructor(bounds: Omit<AskerBounds, "onForget">) {
    this.askers = new LookupAskers({ ...bounds, onForget: (asker) => this.#onForget(asker) });
  }

  /** The asker at an address, a new one if there is none; or the one that counts the others of the network. */
  at(networkId: string, address: string): JournalAsker {
    const key = keyOf(networkId, address);
    const found = this.#present.get(key);
    if (found !== undefined) return found;
    const asker = this.askers.add(networkId, address);
    if (asker.address === othersLabel) return asker;
    this.#present.set(key, asker);
    const holder = this.#holders?.at(address as IpAddress);
    return holder === undefined ? asker : this.#identify(asker, holder);
  }

  /** One of an earlier run. Whose the address is now is not known yet: then it goes on, or is left to the past. */
  former({ networkId, asker: address, container }: Former): JournalAsker {
    const asker = this.askers.add(networkId, address);
    if (asker.address !== othersLabel && container !== undefined) this.#book(asker, container);
    return asker;
  }

  /** Everything that this container has asked, from whichever of its addresses. */
  ofContainer(id: string): Iterable<JournalAsker> {
    return this.#byContainer.get(id) ?? [];
  }

  /** The askers at these addresses leave them. */
  passOn(fresh: readonly FreshAddress[]): void {
    const addresses = new Set<string>(fresh.map(({ address }) => address));
    for (const [key, { address }] of this.#present) if (addresses.has(address)) this.#present.delete(key);
  }

  /** Takes who has which address from now on, and forgets the askers of networks that have ended. */
  learn(holders: Pick<Holders, "at" | "isGuarded">): void {
    this.#holders = holders;
    for (const asker of [...this.askers.all]) {
      if (holders.isGuarded(asker.networkId)) continue;
      this.askers.clear(asker);
      this.askers.forget(asker);
    }
    for (const [key, asker] of this.#present) {
      const holder = holders.at(asker.address as IpAddress);
      if (holder === undefined) continue;
      const was = asker.container;
      if (was !== undefined && was.id !== holder.containerId) this.#present.delete(key);
      else this.#identify(asker, holder);
    }
  }

  /** Says who an asker is. @returns itself; one that has come back to its address goes on where it was */
  #identify(asker: JournalAsker, { containerId: id, name }: Holder): JournalAsker {
    const container = { id, name };
    const earlier = this.#earlier(id, asker.networkId, asker.address);
    if (earlier !== undefined && earlier !== asker) {
      this.askers.merge(asker, earlier);
      this.#present.set(keyOf(asker.networkId, asker.address), earlier);
      earlier.container = container;
      return earlier;
    }
    this.#book(asker, container);
    return asker;
  }

  /** The one that this container was at this address, now or before. */
  #earlier(containerId: string, networkId: string, address: string): JournalAsker | undefined {
    return [...this.ofContainer(containerId)].find(
      (each) => each.networkId === networkId && each.address === address,
    );
  }

  #book(asker: JournalAsker, container: NonNullable<JournalAsker["container"]>): void {
    const its = this.#byContainer.get(container.id) ?? new Set();
    this.#byContainer.set(container.id, its.add(asker));
    asker.container = container;
  }

  #onForget(asker: JournalAsker): void {
    const key = keyOf(asker.networkId, asker.address);
    if (this.#present.get(key) === asker) this.#present.delete(key);
    const { container } = asker;
    const its = container && this.#byContainer.get(container.id);
    if (its?.delete(asker) === true && its.size === 0) this.#byContainer.delete(container?.id ?? "");
  }
}

function keyOf(networkId: string, address: string): string {
  return `${networkId} ${address}`;
}
