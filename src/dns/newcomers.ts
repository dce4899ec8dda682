// Whose a sandbox may be that the engine has not told of: of containers that are away, or that the picture has with a
// sandbox that is not in use any more.

import type { Picture } from "./asker.ts";

interface Away {
  /** The sandbox that it has by the picture. */
  readonly sandbox: string | undefined;
}

export class Newcomers {
  readonly #told: ReadonlySet<string | undefined>;
  /** Whether there is a picture, with every container in quarantine in it. */
  readonly #complete: boolean;
  /** The containers in quarantine that can have a sandbox of their own. */
  readonly #cutOff: readonly (Away & { readonly id: string })[];
  /** Every sandbox that one in quarantine has, or had: what it sent last may leave after the engine has given it up. */
  readonly #cutOffSandboxes: ReadonlyMap<string, string>;
  /** The containers on guarded networks and others too, with the ids of those others. */
  readonly #onBoth: readonly (Away & { readonly others: ReadonlySet<string> })[];

  /** @param before by the last picture; of sandboxes that are no more nothing is kept */
  constructor(
    { topology, guarded, quarantined }: Picture,
    before?: Newcomers,
    isLive: (sandbox: string) => boolean = () => false,
  ) {
    const { containers, networks } = topology;
    const ids = new Set(containers.map(({ id }) => id));
    this.#told = new Set(containers.map(({ sandbox }) => sandbox));
    this.#complete = networks.length > 0 && quarantined.every((id) => ids.has(id));
    this.#cutOff = containers.filter(
      ({ id, networkMode }) => quarantined.includes(id) && !/^(host$|container:)/.test(networkMode),
    );
    this.#cutOffSandboxes = new Map([
      ...[...(before === undefined ? [] : before.#cutOffSandboxes)].filter(
        ([sandbox, id]) => quarantined.includes(id) && isLive(sandbox),
      ),
      ...this.#cutOff.flatMap(({ id, sandbox }) => (sandbox === undefined ? [] : [[sandbox, id] as const])),
    ]);
    const guardedIds = new Set(guarded.map(({ id }) => id));
    const idOf = new Map(networks.flatMap(({ id, name }) => [[id, id] as const, [name, id] as const]));
    this.#onBoth = containers.flatMap(({ sandbox, configured }) => {
      const its = configured.flatMap((idOrName) => idOf.get(idOrName) ?? []);
      const others = its.filter((id) => !guardedIds.has(id));
      return others.length === 0 || others.length === its.length
        ? []
        : [{ sandbox, others: new Set(others) }];
    });
  }

  isTold(sandbox: string): boolean {
    return this.#told.has(sandbox);
  }

  /**
   * Whether a sandbox is that of a container in quarantine: "maybe" for a new one while one in quarantine is away,
   * "unread" while one in quarantine is not in the picture yet.
   * @param isInUse whether a sandbox has an address
   */
  quarantineOf(sandbox: string, isInUse: (sandbox: string) => boolean): "yes" | "no" | "maybe" | "unread" {
    if (this.#cutOffSandboxes.has(sandbox)) return "yes";
    if (this.isTold(sandbox)) return "no";
    if (!this.#complete) return "unread";
    return this.#cutOff.some((container) => isAway(container, isInUse)) ? "maybe" : "no";
  }

  /** Whether a sandbox that is on these networks, none of them guarded, may be about to join a guarded one. */
  mayJoin(sandbox: string, networks: readonly string[], isInUse: (sandbox: string) => boolean): boolean {
    if (this.isTold(sandbox)) return false;
    return this.#onBoth.some(
      (container) => isAway(container, isInUse) && networks.some((id) => container.others.has(id)),
    );
  }
}

function isAway({ sandbox }: Away, isInUse: (sandbox: string) => boolean): boolean {
  return sandbox === undefined || !isInUse(sandbox);
}
