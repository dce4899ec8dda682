// Resolves the query of an asker by its policies.

import type { Resolution } from "../../core/dns/resolve/resolution.ts";
import { resolveQuery } from "../../core/dns/resolve.ts";
import type { Asked } from "./arrival.ts";
import { LookupRequest, type Open, type ResolvingOptions } from "./lookup-request.ts";
import { Permission } from "./permission.ts";

/** How a lookup ended, and what the policies say of its name. */
export interface Judged extends Pick<Permission, "decision" | "speaker"> {
  readonly resolution: Resolution;
}

export class Resolving {
  readonly #options: ResolvingOptions;

  constructor(options: ResolvingOptions) {
    this.#options = options;
  }

  /** Every failure is an answer. Without a wait it is there at once. */
  resolve(asked: Asked, open: Open): Judged | Promise<Judged> {
    const permission = new Permission(asked, this.#options.networks);
    const { decision, speaker } = permission;
    const resolution = resolveQuery(new LookupRequest(this.#options, asked, permission, open));
    return resolution instanceof Promise
      ? resolution.then((ended) => ({ resolution: ended, decision, speaker }))
      : { resolution, decision, speaker };
  }
}
