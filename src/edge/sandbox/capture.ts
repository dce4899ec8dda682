// The capture of one sandbox: our tables in it, put in before anything runs there, and taken out again when it is on no
// guarded network.

import { networkInterfaces } from "node:os";
import type { SandboxInterface } from "../../core/askers/foreign-interfaces.ts";
import type { LateCapture } from "../../core/askers/late-captures.ts";
import { contain, contained, type OnFailure } from "../../core/contain.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { after } from "../host/every.ts";
import { withNamespace } from "../kernel/netns.ts";
import { lateCaptureOf } from "./flows/late-capture.ts";
import type { PastFlows } from "./flows/past-flows.ts";
import type { ContainFor, Sandbox, TellOf } from "./sandbox.ts";
import { installSandboxTable } from "./tables/capture.ts";
import { pinGateways } from "./tables/gateways.ts";
import { closeInterfaces, holdInterfaces } from "./tables/interfaces.ts";
import { removeSandboxTables } from "./tables/own-tables.ts";

export interface CaptureOptions {
  readonly attempt: ContainFor;
  readonly tellOf: TellOf;
  readonly pastFlows: PastFlows;
  /** A sandbox was captured when its container may have been asking already. */
  readonly onLate: (sandbox: string, late: LateCapture) => void;
  /** Whether the engine may be asking a resolver in the network namespace of the calling thread. */
  readonly mayEngineAsk: () => boolean;
  /** See SandboxesOptions. */
  readonly portsWait: () => boolean;
  /** Reads the addresses of a sandbox, and where it stands by them. */
  readonly readAnew: (sandbox: Sandbox) => void;
  /** What it was to do for a sandbox was refused, and is to be done when that is judged again. */
  readonly onRefused: (sandbox: Sandbox) => OnFailure;
  /** A sandbox is captured now, or no longer. */
  readonly onChange: (sandbox: Sandbox) => void;
}

export interface Capture {
  /** Captures a sandbox, or does so anew, before it returns. @throws NetlinkError, SystemCallError */
  install(sandbox: Sandbox): void;
  /** Leads a captured sandbox to where its sockets are now. @throws NetlinkError, SystemCallError */
  lead(sandbox: Sandbox): void;
  /** Keeps back what leaves by an interface that is not among the sandbox's. @throws NetlinkError, SystemCallError */
  hold(sandbox: Sandbox): void;
  /** Lets nothing leave by these interfaces, in place of others before. @throws NetlinkError, SystemCallError */
  close(sandbox: Sandbox, interfaces: readonly SandboxInterface[]): void;
  /** Keeps lookups of these gateways on their way there. @throws NetlinkError, SystemCallError */
  pin(sandbox: Sandbox, gateways: readonly IpAddress[]): void;
  /** Gives it back to the engine's own resolver, when it is still open then. */
  releaseSoon(sandbox: Sandbox): void;
  /** The same at once, wherever it stands. @throws NetlinkError, SystemCallError */
  release(sandbox: Sandbox): void;
}

/**
 * A container joins its networks one after the other, within some tens of milliseconds, and the next may be a guarded
 * one. To take the tables away and put them back takes the kernel as long, and nothing else is seen meanwhile.
 */
const releaseAfterMs = 250;
/** How long an engine may take, on a busy host, to tell a client in a sandbox that its question was refused. */
const refusedWithinMs = 1_000;

export function createCapture(options: CaptureOptions): Capture {
  const { attempt, tellOf, pastFlows, onLate, mayEngineAsk, portsWait, readAnew, onRefused, onChange } =
    options;

  function install(sandbox: Sandbox): void {
    const { namespaceFd, ports, owner } = sandbox;
    const { replaced, late } = withNamespace(namespaceFd, () => {
      const replaced = installSandboxTable(ports, owner);
      return { replaced, late: !replaced && (!sandbox.fresh || isConnected()) };
    });
    sandbox.inherited ||= replaced && !sandbox.captured && !sandbox.fresh;
    sandbox.captured = true;
    if (sandbox.interfaces.length === 0 && portsWait()) sandbox.interfaces = "all";
    contain(() => hold(sandbox), onRefused(sandbox));
    if (late) onLate(sandbox.name, lateCaptureOf(sandbox, attempt, mayEngineAsk));
    if (!sandbox.fresh) pastFlows.forgetSoon(sandbox);
    // First the engine's refusal must have found its way back: who is refused asks again by another socket at once.
    else if (late) after(refusedWithinMs, () => pastFlows.forgetSoon(sandbox), tellOf(sandbox.name));
    onChange(sandbox);
  }

  function lead(sandbox: Sandbox): void {
    if (!sandbox.captured) return;
    install(sandbox);
    // Who keeps asking from one socket goes on to where it was led before.
    pastFlows.forgetSoon(sandbox);
  }

  function release(sandbox: Sandbox): void {
    withNamespace(sandbox.namespaceFd, () => removeSandboxTables(sandbox.owner));
    noteRelease(sandbox);
    onChange(sandbox);
    sandbox.checksums.giveBack();
  }

  function releaseSoon(sandbox: Sandbox): void {
    const releaseNow = (): void => {
      try {
        // On a busy host it may have joined a guarded network, and the event of that not been read.
        readAnew(sandbox);
      } finally {
        sandbox.releaseTimer = undefined;
      }
      if (sandbox.standing.kind === "open" && sandbox.captured) release(sandbox);
    };
    sandbox.releaseTimer ??= setTimeout(contained(releaseNow, onRefused(sandbox)), releaseAfterMs);
  }

  return {
    install,
    lead,
    hold,
    close,
    pin,
    release,
    releaseSoon,
  };
}

function noteRelease(sandbox: Sandbox): void {
  sandbox.captured = false;
  sandbox.held = undefined;
  sandbox.gateways = [];
  sandbox.closed = undefined;
}

function hold(sandbox: Sandbox): void {
  const { namespaceFd, interfaces, owner } = sandbox;
  withNamespace(namespaceFd, () => holdInterfaces(interfaces, owner));
  sandbox.held = interfaces;
}

function close(sandbox: Sandbox, interfaces: readonly SandboxInterface[]): void {
  withNamespace(sandbox.namespaceFd, () => closeInterfaces(interfaces, sandbox.owner));
  sandbox.closed = interfaces;
}

function pin(sandbox: Sandbox, gateways: readonly IpAddress[]): void {
  withNamespace(sandbox.namespaceFd, () => pinGateways(gateways, sandbox.owner));
  sandbox.gateways = gateways;
}

/** Whether the namespace of the calling thread has more than its loopback: nothing runs in a new one before. */
function isConnected(): boolean {
  return Object.values(networkInterfaces()).some((found) => found?.some(({ internal }) => !internal));
}
