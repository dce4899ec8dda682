// The host's interfaces, as the kernel has told of them so far.

import type { KernelLink, LinkEvent } from "./links.ts";

export interface LinkChanges {
  readonly changed: readonly KernelLink[];
  /** Indexes. */
  readonly gone: readonly number[];
}

export class LinkTable {
  readonly #links = new Map<number, KernelLink>();
  #changed = new Map<number, KernelLink>();
  #gone = new Set<number>();

  /** By index. */
  get links(): ReadonlyMap<number, KernelLink> {
    return this.#links;
  }

  /** Takes a whole list, in place of what was known. */
  replace(listed: ReadonlyMap<number, KernelLink>): void {
    for (const index of [...this.#links.keys()]) if (!listed.has(index)) this.#remove(index);
    for (const link of listed.values()) this.#put(link);
  }

  /** Takes what the kernel has told of. */
  apply(event: LinkEvent): void {
    if (event.kind === "gone") this.#remove(event.index);
    for (const link of consequences(event, this.#links)) this.#put(link);
  }

  /** Takes one that was asked for, which is no change. */
  set(link: KernelLink): void {
    this.#links.set(link.index, link);
  }

  /** What has changed since the last call. */
  takeChanges(): LinkChanges {
    const changes = { changed: [...this.#changed.values()], gone: [...this.#gone] };
    this.#changed = new Map();
    this.#gone = new Set();
    return changes;
  }

  #put(link: KernelLink): void {
    if (same(link, this.#links.get(link.index))) return;
    this.#links.set(link.index, link);
    this.#changed.set(link.index, link);
    this.#gone.delete(link.index);
  }

  #remove(index: number): void {
    if (this.#links.delete(index)) this.#gone.add(index);
    this.#changed.delete(index);
  }
}

/** How links stand after an event. */
function consequences(event: LinkEvent, links: ReadonlyMap<number, KernelLink>): readonly KernelLink[] {
  switch (event.kind) {
    case "link":
      return [event.link];
    case "gone":
      if (event.to === undefined) return [];
      // One end of a pair has gone into a sandbox; the kernel tells of the end that stays in a moment, or never.
      return [...links.values()]
        .filter(({ kind, peer, peerNamespace }) => {
          return kind === "veth" && peer === event.index && peerNamespace === undefined;
        })
        .map((link) => ({ ...link, peerNamespace: event.to }));
    case "namespace-gone":
      return [...links.values()]
        .filter(({ peerNamespace }) => peerNamespace === event.id)
        .map((link) => ({ ...link, peerNamespace: undefined }));
  }
}

function same(one: KernelLink, other: KernelLink | undefined): boolean {
  return (
    other !== undefined &&
    one.index === other.index &&
    one.name === other.name &&
    one.mac === other.mac &&
    one.master === other.master &&
    one.peer === other.peer &&
    one.peerNamespace === other.peerNamespace
  );
}
