// Another picture, other policies: what was opened by the earlier ones and is not allowed any more goes.

import type { Membership } from "../../core/askers/index-of-askers.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { intersectServices } from "../../core/model/service-set.ts";
import { decideName, servicesAt } from "../../core/policy/decide.ts";
import type { Owners } from "./owners.ts";
import type { Rights } from "./rights.ts";

/** Everybody's policies, as they are now. */
export interface PolicyView {
  /** While it is the same, nobody's key is another: most pictures bring a container, and no policy. */
  readonly epoch: string;
  /** Another key, another policy; undefined while nothing is known of the address. */
  keyOf(asker: IpAddress): string | undefined;
  membershipsOf(asker: IpAddress): readonly Membership[];
}

export interface RejudgingOptions {
  readonly rights: Rights;
  readonly owners: Owners;
  /** Called before an asker's rights become fewer. */
  readonly onRevoke: () => void;
}

export class Rejudging {
  readonly #options: RejudgingOptions;
  /** Whose flows are to be cut yet: the last attempt failed. */
  #uncut: ReadonlySet<IpAddress> = new Set();

  constructor(options: RejudgingOptions) {
    this.#options = options;
  }

  /** @throws what the kernel refuses: all of it is done again next time */
  rejudge({ epoch, keyOf, membershipsOf }: PolicyView, cut: (changed: ReadonlySet<IpAddress>) => void): void {
    const { owners, rights } = this.#options;
    const judged = owners.takeChanged(epoch, (asker) => keyOf(asker));
    // Who has just come has nothing yet that another policy could have allowed.
    const changed = [...judged.keys()].filter(
      (asker) => owners.of(asker)?.digest !== undefined || rights.index.count(asker) > 0,
    );
    this.#uncut = new Set([...this.#uncut, ...changed]);
    try {
      for (const asker of changed) this.#narrow(asker, membershipsOf(asker));
      if (this.#uncut.size > 0) cut(this.#uncut);
      for (const [asker, owner] of judged) owners.set(asker, owner);
    } catch (error) {
      owners.judgeAllAnew();
      throw error;
    }
    this.#uncut = new Set();
  }

  #narrow(asker: IpAddress, memberships: readonly Membership[]): void {
    const { rights, onRevoke } = this.#options;
    const { ledger, history, index, nowMs } = rights;
    onRevoke();
    const mine = memberships.filter(({ addresses }) => addresses.includes(asker));
    ledger.narrow(asker, (destination, { domain, service }) =>
      // The right may have been another name's, too, that leads to the same address.
      [...new Set([domain, ...history.namesOf(asker, destination)])].flatMap((name) =>
        mine.flatMap(({ policy }) => {
          const decision = decideName(policy, name, nowMs());
          if (!decision.allowed) return [];
          const at = { address: destination, inside: rights.isInside(destination) };
          const granted = servicesAt(policy, decision.terms, at, nowMs());
          return intersectServices([service], granted).map((common) => ({ domain: name, service: common }));
        }),
      ),
    );
    const gone = index.takeUnless(asker, (set, key) => rights.isHeldRightly(set, key, memberships));
    for (const [set, keys] of gone) rights.take(set, keys);
  }
}
