// What the capture asks of its owner, and what it tells.

import type { SandboxInterface } from "../../core/askers/foreign-interfaces.ts";
import type { LateCapture } from "../../core/askers/late-captures.ts";
import type { Standing } from "../../core/askers/standing.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Readiness } from "../kernel/readiness.ts";
import type { FoundInside } from "./addresses.ts";
import type { Fate } from "./folder/unseen-files.ts";
import type { SandboxQuery } from "./lookups/query.ts";

export interface SandboxesOptions {
  readonly folder: string;
  readonly readiness: Readiness;
  /** A sandbox has appeared; asked for its standing from now on. @param namespaceFd open until onGone() */
  readonly onAppear: (sandbox: string, namespaceFd: number) => void;
  /**
   * Demands of the kernel what follows for a sandbox with these addresses. What that closes is in there on return, what
   * it opens not before commit().
   */
  readonly enforce: (found: FoundInside, sandbox: string) => Standing;
  /** By which interfaces nothing may leave it, by what it was judged by last; undefined: as it was before. */
  readonly closedIn: (sandbox: string) => readonly SandboxInterface[] | undefined;
  /**
   * Everything that was demanded is in the kernel when it returns, but for what is refused. Not to throw: after it has,
   * nothing that was demanded counts as in force.
   * @returns the sandboxes of which something was refused since the last time, each with a sentence that says what
   */
  readonly commit: () => ReadonlyMap<string, string>;
  /** Whether the engine has told whose a sandbox is. */
  readonly isTold: (sandbox: string) => boolean;
  /** Whether packets from a new port wait on the host until its sandbox's addresses have been seen to. */
  readonly portsWait: () => boolean;
  /** A question of a guarded container. */
  readonly onQuery: (query: SandboxQuery, standing: () => Standing) => void;
  readonly onGone: (sandbox: string) => void;
  /**
   * A question that has no answer: it must be answered with a failure.
   * @param isKnown false for that of a container that could not be classified in time
   */
  readonly onUnanswerable: (query: SandboxQuery, isKnown: boolean) => void;
  /** A sandbox asks that we cannot classify yet. */
  readonly onUnknown: () => void;
  /** A sandbox no longer has it, or is gone. */
  readonly onAddressLost: (address: IpAddress, sandbox: string) => void;
  /** One was captured when its container may have been asking already. */
  readonly onLate: (sandbox: string, late: LateCapture) => void;
  /** Whether the engine may be asking a resolver in the network namespace of the calling thread. */
  readonly mayEngineAsk: () => boolean;
  /** One may have come and gone uncaptured. */
  readonly onUnseen: (fate: () => Fate) => void;
  /**
   * How many are captured, and why some are not: one sentence. @param isOurs false where that may be containers' own
   * doing
   */
  readonly onChange: (captured: number, problem: string | undefined, isOurs: boolean) => void;
  readonly onProblem: (problem: string) => void;
}
