// Another picture, other policies: what was opened by the earlier ones and is not allowed any more goes.

import type { Membership } from "../../core/askers/standing.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { isDnsService, type Service } from "../../core/model/service.ts";
import { intersectServices, withoutNewResolvers } from "../../core/model/service-set.ts";
import { termsAt } from "../../core/policy/decide/led-to.ts";
import type { Term } from "../../core/policy/decide/terms.ts";
import { decideName } from "../../core/policy/decide.ts";
import type { Owner, Owners } from "./owners.ts";
import type { Rights } from "./rights.ts";
import { shortenRights } from "./shortening.ts";

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
  /** By what the rights of an asker were last shortened: see endingOf(). */
  readonly #ending = new Map<IpAddress, string>();

  constructor(options: RejudgingOptions) {
    this.#options = options;
  }

  /** @throws what the kernel refuses: all of it is done again next time */
  rejudge({ epoch, keyOf, membershipsOf }: PolicyView, cut: (changed: ReadonlySet<IpAddress>) => void): void {
    const { owners, rights } = this.#options;
    const candidates = owners.takeCandidates(epoch, (asker) => keyOf(asker));
    const judged = [...candidates].filter(([, { before, digest }]) => before.digest !== digest);
    // Who has come since these policies are in use has nothing yet that another one could have allowed.
    const isNew = ({ digest, since }: Owner): boolean => digest === undefined && since === epoch;
    const changed = judged
      .filter(([asker, { before }]) => !isNew(before) || rights.index.count(asker) > 0)
      .map(([asker]) => asker);
    this.#uncut = new Set([...this.#uncut, ...changed]);
    try {
      for (const asker of changed) this.#narrow(asker, membershipsOf(asker));
      for (const [asker, { before }] of candidates)
        this.#shorten(asker, before.sandbox, membershipsOf(asker));
      if (this.#uncut.size > 0) cut(this.#uncut);
      for (const [asker, { before, digest }] of judged) owners.set(asker, { ...before, digest });
    } catch (error) {
      owners.judgeAllAnew();
      throw error;
    }
    this.#uncut = new Set();
    for (const asker of this.#ending.keys()) if (owners.of(asker) === undefined) this.#ending.delete(asker);
  }

  #narrow(asker: IpAddress, memberships: readonly Membership[]): void {
    const { rights, onRevoke } = this.#options;
    onRevoke();
    narrowRights(rights, asker, memberships);
    rights.take(rights.index.bySet(asker, (set, key) => rights.isHeldRightly(set, key, memberships)));
  }

  /** An end is no part of a policy's key: it has nothing to do with what is open now. */
  #shorten(asker: IpAddress, sandbox: string, memberships: readonly Membership[]): void {
    const { rights } = this.#options;
    const ending = endingOf(sandbox, memberships);
    if (ending === this.#ending.get(asker)) return;
    narrowRights(rights, asker, memberships);
    if (ending === undefined) {
      this.#ending.delete(asker);
      return;
    }
    shortenRights(rights, asker, memberships);
    this.#ending.set(asker, ending);
  }
}

/**
 * On what it depends when the rights of a holder of an address end; undefined where none of its lists has an end. Those
 * that have none count, too: once they are gone, what they allowed ends with the others.
 */
function endingOf(sandbox: string, memberships: readonly Membership[]): string | undefined {
  const lists = memberships.flatMap(({ policy }) => policy.lists);
  if (!lists.some(({ endsAtMs }) => endsAtMs !== undefined)) return undefined;
  return `${sandbox} ${lists.map(({ id }) => id).join()}`;
}

/** Leaves the ledger what these policies allow, for as long as they do. */
function narrowRights(
  { ledger, history, nowMs, isInside }: Rights,
  asker: IpAddress,
  memberships: readonly Membership[],
): void {
  const mine = memberships.filter(({ addresses }) => addresses.includes(asker));
  ledger.narrow(asker, (destination, { domain, service }) =>
    // The right may have been another name's, too, that leads to the same address.
    [...new Set([domain, ...history.namesOf(asker, destination)])].flatMap((name) =>
      mine.flatMap(({ policy }) => {
        const decision = decideName(policy, name, nowMs());
        if (!decision.allowed) return [];
        const at = { address: destination, inside: isInside(destination) };
        const terms = termsAt(policy, decision.terms, at, nowMs());
        const ends = new Set(terms.map(({ endsAtMs = Number.POSITIVE_INFINITY }) => endsAtMs));
        return [...ends].flatMap((endsAtMs) =>
          commonServices(service, lasting(terms, endsAtMs)).map((common) => ({
            domain: name,
            service: common,
            endsAtMs,
          })),
        );
      }),
    ),
  );
}

/** What a right keeps: one to other ports, too, opened port 53 as little as an entry for them. */
function commonServices(right: Service, allowed: readonly Service[]): readonly Service[] {
  const alike = allowed.filter((service) => isDnsService(service) === isDnsService(right));
  return withoutNewResolvers([right], intersectServices([right], alike));
}

/** The services that are allowed until then at least. */
function lasting(terms: readonly Term[], untilMs: number): readonly Service[] {
  return terms
    .filter(({ endsAtMs = Number.POSITIVE_INFINITY }) => endsAtMs >= untilMs)
    .flatMap(({ services }) => services);
}
