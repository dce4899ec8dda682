// Which container a sandbox may belong to that the engine has not reported yet, where this matters: for containers in
// quarantine, and for those that are about to join a guarded network.

import type { Picture } from "../model/picture.ts";
import type { Container } from "../model/topology.ts";
import type { EntryList } from "../policy/entry-list.ts";
import { type Asker, Knowledge, sharesAnother } from "./knowledge.ts";

export class UnknownSandboxes {
  readonly #knowledge: Knowledge;
  /** Whether there is a picture, with every container in quarantine in it. */
  readonly #complete: boolean;
  /** The containers in quarantine that can have a sandbox of their own. */
  readonly #cutOff: readonly Container[];
  /** Every sandbox that one in quarantine has, or had: what it sent last may leave after the engine has given it up. */
  readonly #cutOffSandboxes: ReadonlyMap<string, string>;
  /** The containers that lose ports of the host that their network has: the kernel lets those pass by address alone. */
  readonly #hostLosers: readonly Container[];
  readonly #opensHost: boolean;
  /** The containers on guarded networks and others too, with the ids of those others. */
  readonly #onBoth: readonly { readonly container: Container; readonly others: ReadonlySet<string> }[];

  /** @param before by the last picture; of sandboxes that are no more nothing is kept */
  constructor(
    picture: Picture,
    knowledge: Knowledge = new Knowledge(picture),
    before?: UnknownSandboxes,
    isLive: (sandbox: string) => boolean = () => false,
  ) {
    const { topology, guarded, services, quarantined } = picture;
    const { containers, networks } = topology;
    const ids = new Set(containers.map(({ id }) => id));
    this.#knowledge = knowledge;
    this.#complete = networks.length > 0 && quarantined.every((id) => ids.has(id));
    this.#cutOff = containers.filter(
      (container) => quarantined.includes(container.id) && !sharesAnother(container),
    );
    this.#cutOffSandboxes = new Map([
      ...[...(before === undefined ? [] : before.#cutOffSandboxes)].filter(
        ([sandbox, id]) => quarantined.includes(id) && isLive(sandbox),
      ),
      ...this.#cutOff.flatMap(({ id, sandbox }) => (sandbox === undefined ? [] : [[sandbox, id] as const])),
    ]);
    this.#opensHost = guarded.some(({ lists }) => lists.some(grantsHost));
    const losers = new Set(
      services.filter(({ lists }) => lists.some(takesHost)).map(({ containerId }) => containerId),
    );
    this.#hostLosers = this.#opensHost ? containers.filter(({ id }) => losers.has(id)) : [];
    const guardedIds = new Set(guarded.map(({ id }) => id));
    const idOf = new Map(networks.flatMap(({ id, name }) => [[id, id] as const, [name, id] as const]));
    this.#onBoth = containers.flatMap((container) => {
      const its = container.configured.flatMap((idOrName) => idOf.get(idOrName) ?? []);
      const others = its.filter((id) => !guardedIds.has(id));
      return others.length === 0 || others.length === its.length
        ? []
        : [{ container, others: new Set(others) }];
    });
  }

  /**
   * Whether a sandbox is to be cut off: "yes" for that of a container in quarantine, "maybe" while it may be, by what is
   * known, and while it may be one that loses a port of the host; "unread" while one in quarantine is not in the picture
   * yet.
   * @param isGuarded whether it is on a guarded network
   */
  quarantineOf(
    asker: Asker & { readonly sandbox: string },
    isGuarded: boolean,
  ): "yes" | "no" | "maybe" | "unread" {
    if (this.#cutOffSandboxes.has(asker.sandbox)) return "yes";
    if (this.#knowledge.whoIs(asker) !== undefined) return "no";
    if (!this.#complete) return "unread";
    const mayBe = (container: Container): boolean => this.#knowledge.mayBe(asker, container);
    if (this.#cutOff.some(mayBe)) return "maybe";
    const mayLoseHost = isGuarded && this.#opensHost && this.#knowledge.isUnheard(asker);
    return mayLoseHost || (isGuarded && this.#hostLosers.some(mayBe)) ? "maybe" : "no";
  }

  /** Whether a sandbox that is on these networks, none of them guarded, may be about to join a guarded one. */
  mayJoin(asker: Asker, networks: readonly string[]): boolean {
    if (this.#knowledge.whoIs(asker) !== undefined) return false;
    return this.#onBoth.some(
      ({ container, others }) =>
        networks.some((id) => others.has(id)) && this.#knowledge.mayBe(asker, container),
    );
  }

  /** Ids of those of whom it matters what they are. */
  concerned(): readonly string[] {
    return [...this.#cutOff, ...this.#hostLosers, ...this.#onBoth.map(({ container }) => container)].map(
      ({ id }) => id,
    );
  }
}

function grantsHost({ entries }: EntryList): boolean {
  return entries.some(({ kind, negated }) => kind === "host" && !negated);
}

function takesHost({ entries, closes }: EntryList): boolean {
  return closes === true || entries.some(({ kind, negated }) => kind === "host" && negated);
}
