// What the daemon does for the CLI. Every command first checks that the wall is in force.

import { contain } from "../../core/contain.ts";
import type { LookupJournal } from "../../core/journal/lookups.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { ControlApi, OverrideRequest } from "../../core/model/control-api.ts";
import type { OverridesReport } from "../../core/model/report.ts";
import { stateSentences } from "../../core/model/state.ts";
import type { ExplainTarget } from "../../core/policy/target.ts";
import type { Engine } from "../../edge/engine/engine.ts";
import type { Inventory } from "../../edge/engine/inventory.ts";
import { engineRoot } from "../../edge/engine/root.ts";
import { listHostAddresses } from "../../edge/host/addresses.ts";
import { forwardingSwitchedOff } from "../../edge/host/forwarding.ts";
import type { Log } from "../../edge/host/log.ts";
import { readFlows, unstampAll } from "../../edge/kernel/flows/stamped.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { findSavedRules } from "../../edge/kernel/iptables/saved-rules.ts";
import { DockerwallError } from "../../errors.ts";
import type { DataPlaneLink } from "../../planes/link.ts";
import type { Enforcement } from "../enforcement.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { PolicySources } from "../policy-sources.ts";
import { assertCutOff, assertLetBack, whyNotCut } from "../quarantine.ts";
import type { Reporter } from "../reporter.ts";
import type { Wall } from "../wall.ts";
import { examineHost } from "./doctor.ts";
import { explainTarget } from "./explain.ts";
import { findContainer } from "./find-container.ts";
import type { Present } from "./in-force.ts";
import { listRights } from "./kernel-rights.ts";
import { prepareNetwork } from "./prepare-network.ts";
import { replayOn, suggestFor } from "./suggest.ts";

export interface ControlApiOptions {
  readonly engine: Engine;
  readonly wall: Wall;
  readonly lifecycle: Lifecycle;
  readonly reporter: Reporter;
  readonly journal: LookupJournal;
  readonly sets: KernelSets;
  readonly policies: PolicySources;
  readonly inventory: Pick<Inventory, "current">;
  readonly enforcement: Enforcement;
  readonly log: Log;
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes. */
  readonly guardsPorts: boolean;
  /** Ends all background work, and removes everything of ours from the kernel. */
  readonly takeDown: () => Promise<void>;
  /** Takes our stamps from the flows of this host; by its kernel when undefined. */
  readonly unstamp?: () => unknown;
}

/** How long `prepare-network` waits for a new network to be enforced. */
const enforceWithinMs = 10_000;

export function createControlApi(options: ControlApiOptions): ControlApi {
  const { wall, lifecycle, reporter, sets, policies, enforcement, log } = options;
  const topology = options.inventory.current;
  const seen = { sets, journal: options.journal, sinceMs: Date.now(), hostAddresses: listHostAddresses };
  const explained = {
    sets,
    flows: readFlows,
    hostAddresses: listHostAddresses,
    explain: async (addresses: readonly IpAddress[], target: ExplainTarget) =>
      planeNow().explain(addresses, target),
  };
  let uninstalling: Promise<void> | undefined;

  function planeNow(): DataPlaneLink {
    const plane = options.dataPlane();
    if (plane === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
    return plane;
  }

  function present(): Present {
    lifecycle.assertInForce();
    const classification = enforcement.classification();
    if (classification === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
    return {
      topology: topology(),
      classification,
      quarantine: wall.quarantine,
      presets: policies.presets(),
      nowMs: Date.now(),
      uptimeMs: policies.nowMs(),
    };
  }

  /** Runs work that counts only while the wall is in force; if that ends meanwhile, the caller is told so, whatever the work met. */
  async function whileInForce<T>(work: () => Promise<T>): Promise<T> {
    lifecycle.assertInForce();
    try {
      return await work();
    } finally {
      lifecycle.assertInForce();
    }
  }

  /** Cuts a container off. When it resolves, the cut is in force in the kernel and for lookups, and verified there. */
  async function quarantine(name: string): Promise<void> {
    const container = findContainer(topology(), name);
    const reason = whyNotCut(container, topology());
    if (reason !== undefined) throw new DockerwallError("NOT_ENFORCED", reason);
    wall.quarantine.add(container.id);
    await enforcement.decideAnew();
    // It may have another address by now; if it is gone for good, there is nothing left to cut.
    const now = topology().containers.find(({ id }) => id === container.id);
    if (now !== undefined)
      await assertCutOff(now, {
        sets,
        rulesStand: wall.stands,
        portsAreCut: async (id) => (options.guardsPorts ? planeNow().isCutOff(id) : undefined),
      });
    log.warn("container cut off", { container: name });
  }

  /** Releases it; in force when it resolves. */
  async function release(name: string): Promise<void> {
    const container = findContainer(topology(), name);
    if (!wall.quarantine.delete(container.id)) {
      throw new DockerwallError("NOT_FOUND", `container ${JSON.stringify(name)} is not in quarantine`);
    }
    await enforcement.decideAnew();
    assertLetBack(container, sets);
    log.warn("container released", { container: name });
  }

  /** As the kernel has it: the rules, and what is open for the containers concerned. */
  async function isInForce({ kind, name }: OverridesReport): Promise<boolean> {
    const { networks, containers } = topology();
    const network = kind === "network" ? networks.find((each) => each.name === name)?.id : undefined;
    const addresses = containers
      .filter((container) => kind === "network" || container.name === name)
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ networkId }) => kind === "container" || networkId === network)
      .flatMap((endpoint) => endpoint.addresses);
    const left = await planeNow().takeLeft(addresses, listRights(sets, new Set(addresses)));
    return (await wall.stands()) && left === 0;
  }

  /** Makes overrides, or takes them back. Fails if the kernel does not hold the result. */
  async function changeOverrides(request: OverrideRequest): Promise<OverridesReport> {
    const report = await policies.change(request, present());
    if (await isInForce(report)) return report;
    // Other software may have changed the rules at this very moment; if so, we put them right.
    await enforcement.heal();
    if (await isInForce(report)) return report;
    throw new DockerwallError(
      "NOT_ENFORCED",
      "the change is remembered, but NOT in force: the kernel holds other rules, or more rights, than it should; see dockerwall status",
    );
  }

  async function uninstall(): Promise<void> {
    if (lifecycle.state === "uninstalled") return;
    if (lifecycle.state !== "uninstalling") {
      lifecycle.assertInForce();
      lifecycle.become("uninstalling");
    }
    await options.takeDown();
    (options.unstamp ?? unstampAll)();
    lifecycle.become("uninstalled");
  }

  return {
    stats: async () => {
      lifecycle.assertInForce();
      await planeNow().flush();
      return reporter.stats(topology(), Date.now());
    },
    status: async () => reporter.status(),
    doctor: async () => {
      lifecycle.assertInForce();
      const root = engineRoot();
      return examineHost({
        engine: options.engine,
        status: reporter.status(),
        topology,
        guarded: new Set(present().classification.guarded.map(({ id }) => id)),
        rulesStand: wall.stands,
        foreignMarks: wall.foreignMarks,
        examine: () => planeNow().examine(),
        savedRules: root === undefined ? [] : findSavedRules(root),
        forwardingSwitchedOff,
      });
    },
    prepareNetwork: async (request) => {
      lifecycle.assertInForce();
      const enforced = (id: string): Promise<void> => untilEnforced(id, reporter, enforcement.changes);
      return prepareNetwork({ ...request, engine: options.engine, presets: policies.presets(), enforced });
    },
    changeOverrides: (request) => whileInForce(() => changeOverrides(request)),
    explain: async (request) => explainTarget(request, present(), explained),
    suggest: async ({ network }) => {
      lifecycle.assertInForce();
      await planeNow().flush();
      return suggestFor(network, present(), seen);
    },
    replay: async (request) => {
      lifecycle.assertInForce();
      await planeNow().flush();
      return replayOn(request, present(), seen);
    },
    quarantine: ({ container }) => whileInForce(() => quarantine(container)),
    release: ({ container }) => whileInForce(() => release(container)),
    uninstall: () => {
      uninstalling ??= uninstall().finally(() => {
        uninstalling = undefined;
      });
      return uninstalling;
    },
  };
}

async function untilEnforced(
  id: string,
  { isEnforced }: Pick<Reporter, "isEnforced">,
  changes: EventTarget,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const check = (): void =>
    contain(() => {
      if (isEnforced(id)) resolve();
    }, reject);
  const message = `network ${id.slice(0, 12)} is not enforced after ${enforceWithinMs / 1000} s; see dockerwall status`;
  const timer = setTimeout(() => reject(new DockerwallError("NOT_ENFORCED", message)), enforceWithinMs);
  changes.addEventListener("change", check);
  check();
  await promise.finally(() => {
    clearTimeout(timer);
    changes.removeEventListener("change", check);
  });
}
