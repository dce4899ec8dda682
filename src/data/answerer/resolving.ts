// Resolves the query of an asker by its policies: gives resolveQuery() what it needs to know, and its effects.

import { askAlong } from "../../core/dns/circles.ts";
import type { AnswerGrant, ResolveRequest } from "../../core/dns/resolve/request.ts";
import type { Resolution } from "../../core/dns/resolve/resolution.ts";
import { resolveQuery } from "../../core/dns/resolve.ts";
import { payloadLimit } from "../../core/dns/wire/message.ts";
import type { Grant } from "../../core/grants/grant.ts";
import type { LeaseSettings } from "../../core/grants/lease.ts";
import type { Admission } from "../admission.ts";
import type { NetworkResolvers } from "../resolvers.ts";
import { type Asked, isAudited } from "./arrival.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";
import { Permission } from "./permission.ts";

/** How a lookup ended, and what the policies say of its name. */
export interface Judged extends Pick<Permission, "decision" | "speaker"> {
  readonly resolution: Resolution;
}

/** Returns, or resolves, once these grants are in the kernel; throws or rejects when one of them is not. */
export type Open = (grants: readonly Grant[]) => void | Promise<void>;

export interface ResolvingOptions {
  readonly lease: LeaseSettings;
  readonly networks: NetworkKnowledge;
  readonly resolvers: Pick<NetworkResolvers, "lookUp">;
  readonly admission: Pick<Admission, "isOpen">;
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
    const resolution = resolveQuery(this.#requestOf(asked, permission, open));
    return resolution instanceof Promise
      ? resolution.then((ended) => ({ resolution: ended, decision, speaker }))
      : { resolution, decision, speaker };
  }

  #requestOf(asked: Asked, permission: Permission, open: Open): ResolveRequest {
    const { networks, resolvers, admission } = this.#options;
    const { query, memberships, transport, asker, deadlineAtMs, isGone } = asked;
    const { decision, speaker } = permission;
    const networkId = speaker?.networkId ?? "";
    const labelled = speaker?.labels.upstream;
    const own = memberships.flatMap(({ addresses }) => addresses);
    const way = networks.circles.allowed(labelled, own);
    return {
      query,
      decision,
      audit: isAudited(asked),
      limit: payloadLimit(query.edns, transport),
      families: permission.families(),
      isInside: networks.leadsOutside(memberships) === false,
      extraTypes: new Set(speaker?.labels.types),
      filter: permission.filter(),
      secondsLeft: (at) => permission.secondsLeft(at),
      lease: this.#leaseOf(permission),
      findLocal: (question) => networks.findLocal(question, memberships),
      lookup: (question) =>
        askAlong({
          circles: networks.circles,
          choice: labelled,
          asker: own,
          ask: (choice) => resolvers.lookUp(question, { asker, networkId, deadlineAtMs, isGone, choice }),
        }),
      circle: "circle" in way ? way.circle : undefined,
      isAboveAllowed: () => permission.isAboveAllowed(),
      mayReverse: (address) => own.some((each) => admission.isOpen(each, address)),
      admit: (wanted: readonly AnswerGrant[]) => open(permission.grantsFor(wanted)),
    };
  }

  /** The client of a name whose permission ends is told a TTL that ends with it. */
  #leaseOf({ decision, decidedAtMs }: Permission): LeaseSettings {
    const { lease } = this.#options;
    if (!decision.allowed || decision.endsAtMs === undefined) return lease;
    const leftSeconds = Math.floor((decision.endsAtMs - decidedAtMs) / 1000);
    return { ...lease, ceilingSeconds: Math.min(lease.ceilingSeconds, Math.max(0, leftSeconds - 1)) };
  }
}
