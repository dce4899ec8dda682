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

  /**
   * Every failure is an answer.
   * @param done called once, without a wait before this returns; must not throw
   */
  resolve(asked: Asked, open: Open, done: (judged: Judged) => void): void {
    const permission = new Permission(asked, this.#options.networks);
    const { decision, speaker } = permission;
    resolveQuery(new LookupRequest(this.#options, asked, permission, open), (resolution) =>
      done({ resolution, decision, speaker }),
    );
  }
}
