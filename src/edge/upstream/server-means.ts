// What every upstream server of a resolver is asked with.

import type { OnFailure } from "../../core/contain.ts";
import type { RandomBits } from "./random.ts";

export interface ServerMeans {
  readonly random: RandomBits;
  /** Milliseconds that only go forward. */
  readonly nowMs: () => number;
  /** Told of what fails on our side. */
  readonly told: OnFailure;
}
