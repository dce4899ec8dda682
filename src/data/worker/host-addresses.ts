// The host's own addresses, as they were last read: an answer that names one of them opens nothing, and no container may
// send from one that was not given to it.

import type { OnFailure } from "../../core/contain.ts";
import {
  hostPrefix,
  type IpAddress,
  linkLocal6,
  type Prefix,
  prefixContains,
} from "../../core/model/address.ts";
import { listHostAddresses } from "../../edge/host/addresses.ts";

/**
 * How long changes are gathered, ms. Each start and each end of a container is one: its port has a link-local address on
 * the host. To read them takes some 1.5 ms of a processor on a host with 500 containers.
 */
export const gatherMs = 100;

export class HostAddresses {
  readonly #list: () => readonly IpAddress[];
  #beyondLink: readonly Prefix[] = [];
  #all: ReadonlySet<IpAddress> = new Set();

  constructor(list: () => readonly IpAddress[] = listHostAddresses) {
    this.#list = list;
    this.read();
  }

  /** Those that lead to the host from beyond a link, too. The same array as long as they are the same. */
  get beyondLink(): readonly Prefix[] {
    return this.#beyondLink;
  }

  has(address: IpAddress): boolean {
    return this.#all.has(address);
  }

  /** Reads them again. @returns those that the host has got or lost since. @throws DockerwallError KERNEL_REFUSED */
  read(): ReadonlySet<IpAddress> {
    const before = this.#all;
    const now = new Set(this.#list());
    const changed = new Set(
      [...before, ...now].filter((address) => before.has(address) !== now.has(address)),
    );
    if (changed.size > 0) this.#all = now;
    if ([...changed].some(isBeyondLink)) this.#beyondLink = [...now].filter(isBeyondLink).map(hostPrefix);
    return changed;
  }
}

/** What goes by the host's addresses. */
export interface HostAddressUsers {
  readonly hostAddresses: Pick<HostAddresses, "read">;
  readonly answerer: {
    useHostAddresses(): void;
    /** Decides what waits. */
    reconsider(): void;
  };
  /** Undefined where sandboxes are not captured. */
  readonly sandboxLayer: { useHostAddresses(changed: ReadonlySet<IpAddress>): void } | undefined;
}

/**
 * Reads the host's addresses again; where they are others, what goes by them is judged by them on return. By a link-local
 * one that is only what some sandboxes send: no resolver can be asked at one, and nothing stands elsewhere by it.
 * @throws what read() throws
 */
export function followHostAddresses({ hostAddresses, answerer, sandboxLayer }: HostAddressUsers): void {
  const changed = hostAddresses.read();
  const concernsAnswers = [...changed].some(isBeyondLink);
  if (concernsAnswers) answerer.useHostAddresses();
  if (changed.size > 0) sandboxLayer?.useHostAddresses(changed);
  if (concernsAnswers) answerer.reconsider();
}

export interface GatherOptions {
  /** Does the work once, after so many milliseconds. */
  readonly after: (ms: number, work: () => void, onFailure: OnFailure) => unknown;
  readonly onFailure: OnFailure;
}

/** @returns to be called at each change: all within `gatherMs` are followed together */
export function gatherHostAddresses(
  users: HostAddressUsers,
  { after, onFailure }: GatherOptions,
): () => void {
  let isDue = false;
  const follow = (): void => {
    isDue = false;
    followHostAddresses(users);
  };
  return () => {
    if (!isDue) after(gatherMs, follow, onFailure);
    isDue = true;
  };
}

function isBeyondLink(address: IpAddress): boolean {
  return !prefixContains(linkLocal6, address);
}
