// Which picture the data plane has been posted, and which one it decides by.

import type { Classification } from "../../core/classify/networks.ts";
import type { Readings, Topology } from "../../core/model/topology.ts";
import { DockerwallError } from "../../errors.ts";
import type { DataPlaneLink } from "../../planes/link.ts";

/** How long the data plane may take to adopt a picture; a picture of five hundred networks takes 0.1 s. */
const takenWithinMs = 10_000;

export interface PostingOptions {
  /** Undefined while there is none. */
  readonly dataPlane: () => DataPlaneLink | undefined;
  readonly quarantine: ReadonlySet<string>;
  /** How long the data plane may take to adopt a picture. */
  readonly takenWithinMs?: number | undefined;
}

export class Posting {
  readonly #options: PostingOptions;
  #posted: Topology | undefined;
  /** What was posted with it, as besideOf() has it. */
  #postedBeside = "";
  /** The picture that the data plane decides by. */
  #inUse: Topology | undefined;

  constructor(options: PostingOptions) {
    this.#options = options;
  }

  isPosted(topology: Topology): boolean {
    return this.#posted === topology;
  }

  /** The next picture is posted even if it is the same. */
  forget(): void {
    this.#posted = undefined;
  }

  /**
   * Posts the picture unless it was posted last. Resolves, once the data plane decides by it, to whether it was posted.
   * @throws DockerwallError when the data plane refuses it, or does not answer in time
   */
  async post(topology: Topology, classification: Classification): Promise<boolean> {
    const { dataPlane, quarantine, takenWithinMs: limitMs = takenWithinMs } = this.#options;
    const plane = dataPlane();
    const beside = besideOf(classification, quarantine);
    if (plane === undefined || (this.isPosted(topology) && this.#postedBeside === beside)) return false;
    const { guarded, containers, enslaved } = classification;
    // Set before the answer: a forget() meanwhile has the picture posted once more.
    this.#posted = topology;
    this.#postedBeside = beside;
    try {
      await within(
        limitMs,
        plane.post({
          topology,
          guarded,
          services: containers.services,
          quarantined: [...quarantine],
          enslaved: [...enslaved],
        }),
      );
    } catch (error) {
      this.#posted = undefined;
      throw error;
    }
    this.#inUse = topology;
    return true;
  }

  /** Readings of a picture that is not in use yet go out together with that picture. */
  tellReadings(topology: Topology, readings: Readings): void {
    if (this.#inUse === topology) this.#options.dataPlane()?.tellReadings(readings);
  }
}

/**
 * What decides beside the topology. Which networks are guarded also depends on the ports of bridges, which the engine
 * does not report; and a quarantined container is dropped only when everything has been read without it.
 */
function besideOf({ guarded, enslaved }: Classification, quarantine: ReadonlySet<string>): string {
  return JSON.stringify([guarded.map(({ id }) => id), [...enslaved], [...quarantine]]);
}

/** @throws DockerwallError NOT_ENFORCED if the data plane does not answer; the next round reports what it does later */
async function within(limitMs: number, taken: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const message = `the data plane has not adopted the latest policy for ${limitMs / 1000} s; if this lasts, restart Dockerwall's container`;
  const timer = setTimeout(() => late.reject(new DockerwallError("NOT_ENFORCED", message)), limitMs);
  await Promise.race([taken, late.promise]).finally(() => clearTimeout(timer));
}
