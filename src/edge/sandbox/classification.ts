// Where a sandbox stands, by the addresses that it has now: it is captured unless it is open, what leaves by interfaces
// that have not been seen to is kept back, and its questions that waited go their way.

import type { GuardedStanding, Standing } from "../../core/askers/index-of-askers.ts";
import { contain } from "../../core/contain.ts";
import { familyOf, type IpAddress } from "../../core/model/address.ts";
import { oneByOne } from "../../core/one-by-one.ts";
import { messageOf } from "../../errors.ts";
import type { AddressHolders } from "./address-holders.ts";
import { type FoundAddresses, readAddresses, type SandboxAddress } from "./addresses.ts";
import type { Capture } from "./capture.ts";
import type { Questions } from "./lookups/questions.ts";
import type { SandboxRegister } from "./register.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Interfaces } from "./table.ts";

export interface ClassificationOptions {
  /** What a sandbox with these addresses demands of the kernel is in there when it returns. */
  readonly enforce: (found: FoundAddresses, sandbox: string) => Standing;
  /** Whether the engine has told whose a sandbox is. */
  readonly isTold: (sandbox: string) => boolean;
  readonly register: SandboxRegister;
  readonly holders: AddressHolders;
  readonly capture: Capture;
  readonly questions: Questions;
  readonly onProblem: (problem: string) => void;
}

export interface Classification {
  /** Reads the addresses of a sandbox, and acts on where it stands by them. */
  read(sandbox: Sandbox): void;
  /**
   * Acts on where it stands now, by the addresses that were last read; while another is judged, or itself, right after
   * that. @throws what the kernel refuses
   */
  settle(sandbox: Sandbox): void;
}

export function createClassification(options: ClassificationOptions): Classification {
  const { register, holders, capture, questions } = options;
  // What one loses or leaves is another's, who is judged then, too.
  const settle = oneByOne<Sandbox>({
    work: judge,
    workLater: (sandbox) => {
      const work = (): void => (register.isLive(sandbox) ? judge(sandbox) : undefined);
      contain(work, (error) => tell(sandbox, error));
    },
  });

  function tell({ name }: Sandbox, error: unknown): void {
    options.onProblem(`sandbox ${name}: ${messageOf(error)}`);
  }

  /** One that cannot be classified stays captured, and its questions wait. */
  function read(sandbox: Sandbox): void {
    try {
      if (!sandbox.captured && sandbox.standing.kind !== "open") capture.install(sandbox);
      sandbox.found = readAddresses(sandbox.sockets.addressFd, sandbox.namespaceFd);
      settle(sandbox);
    } catch (error) {
      if (sandbox.captured) tell(sandbox, error);
      else register.noteUncaptured(sandbox.name, messageOf(error));
    }
  }

  function judge(sandbox: Sandbox): void {
    const { found } = sandbox;
    holders.note(sandbox);
    sandbox.standing = options.enforce(found, sandbox.name);
    const interfaces = interfacesOf(sandbox, found.addresses);
    const changed = interfaces.toString() !== sandbox.interfaces.toString();
    sandbox.interfaces = interfaces;
    const wanted = sandbox.standing.kind !== "open";
    if (wanted && !sandbox.captured) capture.install(sandbox);
    // Only now: whatever had to be done about the addresses of a new interface has been done.
    else if (sandbox.captured && changed) capture.hold(sandbox);
    if (!wanted && sandbox.captured) capture.releaseSoon(sandbox);
    pinAnew(sandbox);
    if (sandbox.standing.kind !== "unknown") questions.settle(sandbox);
  }

  /** Until it is known again where a sandbox stands, what was pinned stays; an open one loses it with its capture. */
  function pinAnew(sandbox: Sandbox): void {
    if (sandbox.standing.kind !== "guarded" || !sandbox.captured) return;
    const gateways = gatewaysOf(sandbox.standing);
    if (gateways.toString() !== sandbox.gateways.toString()) capture.pin(sandbox, gateways);
  }

  /** Those whose addresses have been seen to. */
  function interfacesOf({ name, standing }: Sandbox, found: readonly SandboxAddress[]): Interfaces {
    // The engine gives out no addresses on some networks; what it has told of and left without one is nobody's to hold.
    if (standing.kind === "unknown" && options.isTold(name)) return "all";
    return [...new Set(found.map(({ index }) => index))].sort();
  }

  return { read, settle };
}

/** The host's addresses on its guarded networks. */
function gatewaysOf({ memberships }: GuardedStanding): readonly IpAddress[] {
  const all = memberships.flatMap(({ gateways }) => gateways);
  return [...new Set(all)].filter((gateway) => familyOf(gateway) === 4).sort();
}
