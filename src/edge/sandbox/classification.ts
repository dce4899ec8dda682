// Where a sandbox stands, by the addresses that it has now: it is captured unless it is open, what leaves by interfaces
// that have not been seen to is kept back, and its questions that waited go their way.

import type { GuardedStanding, Standing } from "../../core/askers/standing.ts";
import { contain } from "../../core/contain.ts";
import { inBatches } from "../../core/in-batches.ts";
import { familyOf, type IpAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";
import type { AddressHolders } from "./address-holders.ts";
import type { SandboxAddress, SandboxAddresses } from "./addresses.ts";
import type { Capture } from "./capture.ts";
import type { Questions } from "./lookups/questions.ts";
import type { SandboxesOptions } from "./options.ts";
import { describeFailure, type OwedSandboxes } from "./owed.ts";
import type { SandboxRegister } from "./register.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Interfaces } from "./tables/interfaces.ts";

export interface ClassificationOptions
  extends Pick<SandboxesOptions, "enforce" | "closedIn" | "commit" | "isTold" | "portsWait"> {
  /** See addresses.ts. @throws NetlinkError, SystemCallError */
  readonly readAddresses: (addressFd: number, namespaceFd: number) => SandboxAddresses;
  readonly register: SandboxRegister;
  readonly owed: Pick<OwedSandboxes, "owe" | "paid">;
  readonly holders: AddressHolders;
  readonly capture: Capture;
  readonly questions: Questions;
}

export interface Classification {
  /** Reads the addresses of a sandbox, and acts on where it stands by them. */
  read(sandbox: Sandbox): void;
  /**
   * Acts on where they stand now, by the addresses that were last read; while others are judged, right after that. One of
   * which something fails is owed another judgement, and keeps back none of the others.
   */
  settle(sandboxes: readonly Sandbox[]): void;
}

/** One that was judged, and is not acted on yet. */
interface Judged {
  readonly sandbox: Sandbox;
  /** The addresses by which it was judged. */
  readonly found: readonly SandboxAddress[];
  readonly standing: Standing;
}

/**
 * How many are put into the kernel together. Each of them waits for the others, and with more the kernel is hardly faster:
 * 500 chains of an earlier run's take it 1.2 s of a processor one by one, 0.3 s by 16, and 0.2 s by 32 or by 128.
 */
const mostTogether = 32;

export function createClassification(options: ClassificationOptions): Classification {
  return new SandboxClassification(options);
}

class SandboxClassification implements Classification {
  readonly #options: ClassificationOptions;
  /** Those whose last reading failed: they are judged by one before it. */
  readonly #unread = new WeakSet<Sandbox>();
  /** What one loses or leaves is another's, who is judged then, too. */
  readonly settle: Classification["settle"];

  constructor(options: ClassificationOptions) {
    this.#options = options;
    this.settle = inBatches<Sandbox, Judged>({
      begin: (sandbox) => this.#judge(sandbox),
      finish: (all) => this.#finish(all),
      most: mostTogether,
    });
  }

  read(sandbox: Sandbox): void {
    // Where that fails: it may be open by its addresses, and those of a guarded one must be known all the same.
    if (sandbox.standing.kind !== "open")
      contain(
        () => this.#capture(sandbox),
        (error) => this.#fail(sandbox, error),
      );
    try {
      sandbox.checksums.noteChange();
      sandbox.found = this.#options.readAddresses(sandbox.addressFd, sandbox.namespaceFd);
    } catch (error) {
      // The kernel has nothing more to tell of it: what it told of was taken off the socket.
      this.#unread.add(sandbox);
      sandbox.standing = inDoubt(sandbox, sandbox.standing);
      if (!sandbox.captured) this.#noteUncaptured(sandbox, error);
      this.#owe(sandbox, error);
      return;
    }
    this.#unread.delete(sandbox);
    this.settle([sandbox]);
  }

  #judge(sandbox: Sandbox): Judged | undefined {
    const { register, holders, enforce } = this.#options;
    let judged: Judged | undefined;
    if (!register.isLive(sandbox)) return judged;
    const work = (): void => {
      holders.note(sandbox);
      const { found, name } = sandbox;
      const standing = enforce(found, name);
      const isByNow = !this.#unread.has(sandbox);
      judged = {
        sandbox,
        found: found.addresses,
        standing: isByNow ? standing : inDoubt(sandbox, standing),
      };
    };
    contain(work, (error) => {
      sandbox.standing = inDoubt(sandbox, sandbox.standing);
      this.#fail(sandbox, error);
    });
    return judged;
  }

  #finish(all: readonly Judged[]): void {
    const work = (): void => {
      const refused = this.#options.commit();
      this.#oweAll(refused);
      for (const judged of all) this.#actOn(judged, refused.has(judged.sandbox.name));
    };
    contain(work, (error) => this.#finishEach(all, error));
  }

  /** What was put into force for one may have had that of any other refused. */
  #oweAll(refused: ReadonlyMap<string, string>): void {
    const { register, owed } = this.#options;
    for (const [name, why] of refused) {
      const sandbox = register.get(name);
      if (sandbox !== undefined) owed.owe(sandbox, why);
    }
  }

  #actOn(judged: Judged, isRefused: boolean): void {
    const { sandbox } = judged;
    let isDone = !isRefused;
    const attempt = (work: () => void): void =>
      contain(work, (error) => {
        isDone = false;
        this.#fail(sandbox, error);
      });
    attempt(() => actOn(judged, this.#options, attempt));
    if (isDone && isInForce(sandbox) && !this.#unread.has(sandbox)) this.#options.owed.paid(sandbox);
  }

  /** Not known to be in force is what any of them demands: each demands it anew, and alone. */
  #finishEach(all: readonly Judged[], error: unknown): void {
    const [only, ...others] = all;
    if (only !== undefined && others.length === 0) {
      this.#keepShut(only, error);
      return;
    }
    for (const { sandbox } of all) {
      const again = this.#judge(sandbox);
      if (again !== undefined) this.#finish([again]);
    }
  }

  /** It opens nothing by what it demands, and is captured unless it is open still. */
  #keepShut({ sandbox, standing }: Judged, error: unknown): void {
    if (standing.kind !== "open" || sandbox.standing.kind !== "open") {
      sandbox.standing = { kind: "unknown" };
      contain(
        () => this.#capture(sandbox),
        (cause) => this.#fail(sandbox, cause),
      );
    }
    this.#fail(sandbox, error);
  }

  #capture(sandbox: Sandbox): void {
    if (!sandbox.captured) this.#options.capture.install(sandbox);
  }

  /** One that cannot be classified stays captured, and its questions wait. */
  #fail(sandbox: Sandbox, error: unknown): void {
    if (!sandbox.captured && sandbox.standing.kind !== "open") this.#noteUncaptured(sandbox, error);
    this.#owe(sandbox, error);
  }

  #owe(sandbox: Sandbox, error: unknown): void {
    this.#options.owed.owe(sandbox, describeFailure(sandbox, error));
  }

  #noteUncaptured({ name }: Sandbox, error: unknown): void {
    this.#options.register.noteUncaptured(name, messageOf(error));
  }
}

/**
 * Where it stands if no more is known than that it stood there before: it may have joined a guarded network since it was
 * open, so one that is captured still is not given back, and its questions wait.
 */
function inDoubt({ captured }: Sandbox, before: Standing): Standing {
  return captured && before.kind === "open" ? { kind: "unknown" } : before;
}

/** @param attempt a part of it that keeps back none of the others */
function actOn(judged: Judged, options: ClassificationOptions, attempt: (work: () => void) => void): void {
  const { register, capture, questions } = options;
  const { sandbox, standing } = judged;
  sandbox.standing = standing;
  attempt(() => closeAnew(sandbox, options));
  sandbox.interfaces = interfacesOf(judged, options);
  const wanted = standing.kind !== "open";
  if (wanted && !sandbox.captured) capture.install(sandbox);
  // Only now: whatever had to be done about the addresses of a new interface has been done.
  else if (sandbox.captured && !isHeld(sandbox)) attempt(() => capture.hold(sandbox));
  if (!wanted && sandbox.captured) capture.releaseSoon(sandbox);
  if (!wanted && !sandbox.captured) register.noteOpen(sandbox);
  attempt(() => pinAnew(sandbox, capture));
  if (standing.kind !== "unknown") questions.settle(sandbox);
}

/** Captured, and held as it is to be; an open one is given back a little later than it is acted on. */
function isInForce(sandbox: Sandbox): boolean {
  return sandbox.standing.kind === "open" ? !sandbox.captured : sandbox.captured && isHeld(sandbox);
}

function isHeld({ interfaces, held }: Sandbox): boolean {
  return interfaces.toString() === held?.toString();
}

/** First, as what is held leaves by none of them. */
function closeAnew(sandbox: Sandbox, { capture, closedIn }: ClassificationOptions): void {
  const closed = closedIn(sandbox.name);
  if (closed !== undefined && JSON.stringify(closed) !== JSON.stringify(sandbox.closed))
    capture.close(sandbox, closed);
}

/** Those whose addresses have been seen to, and that are not closed. */
function interfacesOf(judged: Judged, { isTold, portsWait, closedIn }: ClassificationOptions): Interfaces {
  const { sandbox, standing, found } = judged;
  // A packet that is kept back inside is an error for its sender; one that waits on the host is only late. A guarded
  // container's other interfaces are kept back inside all the same, as nothing waits on the host while we are dead.
  if (standing.kind !== "guarded" && portsWait()) return "all";
  // The engine gives out no addresses on some networks; what it has told of and left without one is nobody's to hold.
  if (standing.kind === "unknown" && isTold(sandbox.name)) return "all";
  const closed = new Set(closedIn(sandbox.name)?.map(({ index }) => index));
  return [...new Set(found.map(({ index }) => index))].filter((index) => !closed.has(index)).sort();
}

/** Until it is known again where a sandbox stands, what was pinned stays; an open one loses it with its capture. */
function pinAnew(sandbox: Sandbox, capture: Capture): void {
  if (sandbox.standing.kind !== "guarded" || !sandbox.captured) return;
  const gateways = gatewaysOf(sandbox.standing);
  if (gateways.toString() !== sandbox.gateways.toString()) capture.pin(sandbox, gateways);
}

/** The host's addresses on its guarded networks. */
function gatewaysOf({ memberships }: GuardedStanding): readonly IpAddress[] {
  const all = memberships.flatMap(({ gateways }) => gateways);
  return [...new Set(all)].filter((gateway) => familyOf(gateway) === 4).sort();
}
