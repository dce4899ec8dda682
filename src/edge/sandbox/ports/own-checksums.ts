// A container with NET_RAW can leave two bytes of a packet to be filled in with a checksum, wherever it says
// (PACKET_VNET_HDR, metadata of AF_XDP). An interface that leaves this to its device hands the packet to our port as it
// is, and whatever fills it in later, such as what cuts it into fragments, changes its destination after the rules have
// judged it. So while a container is guarded, or nobody knows yet, its own interfaces have the kernel fill everything
// in before they send. That costs it the segmentation that is left to the device, too; so the host's ends of these
// interfaces merge its segments.

import { DockerwallError } from "../../../errors.ts";
import { interfaceName, SystemCallError } from "../../kernel/libc.ts";
import { NetlinkError } from "../../kernel/netlink/refusal.ts";
import { withNamespace } from "../../kernel/netns.ts";
import { type Offloads, withOffloads } from "../../kernel/offloads.ts";
import { startMerging, stopMerging } from "./merging.ts";
import { noteInterface, type PortPair, readNotes, removeNotes } from "./offload-notes.ts";

export class OwnChecksums {
  readonly #namespaceFd: number;
  /** Indexes of interfaces that were seen to since anything was told of any. */
  readonly #seen = new Set<number>();
  #isGivenBack = false;

  constructor(namespaceFd: number) {
    this.#namespaceFd = namespaceFd;
  }

  /** Its interfaces may have changed. */
  noteChange(): void {
    this.#seen.clear();
  }

  /**
   * Has the kernel fill in the checksums of what these interfaces send, before they send it.
   * @throws DockerwallError KERNEL_REFUSED where that cannot be; SystemCallError, NetlinkError
   */
  keep(pairs: readonly PortPair[]): void {
    const unseen = pairs.filter(({ index }) => !this.#seen.has(index));
    if (unseen.length === 0) return;
    withNamespace(this.#namespaceFd, () =>
      withOffloads((offloads) => {
        for (const { index } of unseen) this.#keep(index, offloads);
      }),
    );
    this.#merge(unseen.filter(({ index }) => this.#seen.has(index)));
  }

  /** Gives back what was changed, also by an earlier run. @throws SystemCallError, NetlinkError */
  giveBack(): void {
    if (this.#isGivenBack) return;
    giveBackChecksums(this.#namespaceFd);
    this.#isGivenBack = true;
    this.#seen.clear();
  }

  #keep(index: number, offloads: Offloads): void {
    const name = interfaceName(index);
    // Who moved it elsewhere has NET_ADMIN, and could switch them on again here as well.
    if (name === undefined) return;
    if (offloads.isOn(name, "transmit-checksums")) {
      this.#isGivenBack = false;
      // First, as we may end any moment.
      noteInterface(index);
      offloads.set(name, "transmit-checksums", false);
      if (offloads.isOn(name, "transmit-checksums"))
        throw new DockerwallError("KERNEL_REFUSED", `the driver of ${name} goes on filling in checksums`);
    }
    this.#seen.add(index);
  }

  #merge(pairs: readonly PortPair[]): void {
    this.#isGivenBack = false;
    try {
      startMerging(this.#namespaceFd, pairs);
    } catch (error) {
      // It is only faster with it.
      if (!(error instanceof SystemCallError) && !(error instanceof NetlinkError)) throw error;
    }
  }
}

/**
 * Gives back what was changed for the interfaces of a sandbox; nothing that was is no error.
 * @throws SystemCallError, NetlinkError
 */
export function giveBackChecksums(namespaceFd: number): void {
  const merging = withNamespace(namespaceFd, () => {
    const { interfaces, merging } = readNotes();
    const names = interfaces.flatMap((index) => interfaceName(index) ?? []);
    if (names.length > 0)
      withOffloads((offloads) => {
        for (const name of names) offloads.set(name, "transmit-checksums", true);
      });
    return merging;
  });
  // After that, as nothing goes through what merges any more.
  stopMerging(namespaceFd, merging);
  withNamespace(namespaceFd, removeNotes);
}
