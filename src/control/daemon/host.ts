// What a daemon finds on its host, and claims of it, before it changes anything there.

import { awaitEngine } from "../../edge/engine/await-engine.ts";
import { engineFinder, findDockerd, findSandboxFolder } from "../../edge/engine/dockerd.ts";
import { connectEngine, type Engine } from "../../edge/engine/engine.ts";
import { ownContainerId } from "../../edge/engine/own-container.ts";
import { watchEngineProcess } from "../../edge/engine/process.ts";
import { engineRoot } from "../../edge/engine/root.ts";
import { claimHost } from "../../edge/host/claim.ts";
import type { Config } from "../../edge/host/config/settings.ts";
import type { Log } from "../../edge/host/log.ts";
import type { Firewall } from "../../edge/kernel/firewall.ts";
import { holdEngineQuestions } from "../../edge/kernel/flows/engine-queue.ts";
import { setsAreFilled, setsExist } from "../../edge/kernel/ipset/desired-sets.ts";
import { type KernelSets, openKernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../edge/kernel/iptables/firewall.ts";
import { iptablesBeside } from "../../edge/kernel/iptables/iptables.ts";
import type { Backend } from "../../edge/kernel/iptables/tools.ts";
import { hasFamily, whyNoBatches } from "../../edge/kernel/libc.ts";
import { probePortTable } from "../../edge/kernel/nftables/host/port-table.ts";
import { probeSettledPorts } from "../../edge/kernel/nftables/host/settled-ports.ts";
import { createReadiness } from "../../edge/kernel/readiness.ts";
import { probeSandboxTable } from "../../edge/sandbox/tables/capture.ts";
import { messageOf } from "../../errors.ts";
import { type EarlyQuestions, passHostQuestions } from "./early-questions.ts";
import { openUpstreams, type Upstreams } from "./upstreams.ts";

export interface Host {
  readonly backend: Backend;
  readonly engine: Engine;
  /** Of the engine that we began with. */
  readonly engineVersion: Awaited<ReturnType<Engine["version"]>>;
  /** Id of the container that this process is in. */
  readonly ownContainer: string | undefined;
  readonly sets: KernelSets;
  readonly firewall: Firewall;
  /** The engine's folder of sandboxes; undefined turns layer 2 off. */
  readonly sandboxFolder: string | undefined;
  /** Questions of the engine that wait already. */
  readonly earlyQuestions: EarlyQuestions | undefined;
  /** What an earlier run, or the boot guard, left closed stays closed when this start fails. */
  readonly adopts: boolean;
  /** Whether every set was there; empty ones of a unit that makes them at boot stay when this start fails. */
  readonly setsStood: boolean;
  readonly upstreams: Upstreams;
  readonly missing: MissingOnHost;
}

/** Why something is not to be had on this host, one sentence each; undefined where it is. */
export interface MissingOnHost {
  /** Lookups are not captured in their sandboxes. */
  readonly uncaptured: string | undefined;
  /** Ports of sandboxes are not guarded. */
  readonly unguardedPorts: string | undefined;
  /** What new ports send is not held. */
  readonly unheldPorts: string | undefined;
  /** Datagrams take a system call each. */
  readonly unbatched: string | undefined;
  /** There is no IPv6. */
  readonly ipv6: string | undefined;
}

/** @throws DockerwallError DAEMON_RUNNING before anything else, or what this host does not let us do */
export async function acquireHost(config: Config, log: Log): Promise<Host> {
  const backend: Backend = config.backend === "legacy" ? "legacy" : "nft";
  const engine = connectEngine(config.dockerSocket, engineFinder(config.dockerSocket));
  // Before anything is touched: two daemons would take each other's rules and captures away.
  claimHost();
  const ownContainer = ownContainerId();
  const sets = openKernelSets();
  const folder = sandboxFolderOf(config);
  const firewall = createFirewall(backend, iptablesBeside(engineRoot));
  const earlyQuestions = folder.path === undefined ? undefined : takeQuestions(config, sets, log);
  const engineVersion = await awaitEngine(engine, (problem) => log.warn("engine", { problem }));
  const adopts = await findsAnything(sets, firewall);
  const setsStood = setsExist(sets);
  const upstreams = openUpstreams(config.upstreams, log);
  if (folder.path !== undefined) probeSandboxTable();
  const missing = findMissing(folder, () => earlyQuestions?.serve());
  return {
    backend,
    engine,
    engineVersion,
    ownContainer,
    sets,
    firewall,
    sandboxFolder: folder.path,
    earlyQuestions,
    adopts,
    setsStood,
    upstreams,
    missing,
  };
}

/** The folder, or why there is none. */
interface FoundFolder {
  readonly path: string | undefined;
  readonly problem: string | undefined;
}

function sandboxFolderOf(config: Config): FoundFolder {
  if (config.sandboxFolder === "off") return { path: undefined, problem: "layer 2 is switched off" };
  if (config.sandboxFolder !== "auto") return { path: config.sandboxFolder, problem: undefined };
  const found = findSandboxFolder(config.dockerSocket);
  return "path" in found
    ? { path: found.path, problem: undefined }
    : { path: undefined, problem: found.problem };
}

/**
 * The engine's questions wait in our queue from here on, and so may the host's own until they are looked at. Rules that
 * hold the engine's by their sender change nothing in that: they may hold nothing any more, which cannot be seen.
 */
function takeQuestions(
  { queueNumber, dockerSocket }: Config,
  sets: KernelSets,
  log: Pick<Log, "warn">,
): EarlyQuestions {
  return passHostQuestions({
    queueNumber,
    queue: holdEngineQuestions(queueNumber, sets),
    sets,
    readiness: createReadiness(),
    mayBeEngines: watchEngineProcess(() => findDockerd(dockerSocket)).maySend,
    onFailure: (error) => log.warn("questions of the host", { problem: messageOf(error) }),
  });
}

/** Whether there is a rule of ours, or a set that was filled: a unit of the host may make them all at boot, empty. */
async function findsAnything(
  sets: Pick<KernelSets, "names" | "list">,
  firewall: Pick<Firewall, "isClean">,
): Promise<boolean> {
  return setsAreFilled(sets) || !(await firewall.isClean());
}

/** @param serve called before each probe, which takes as long as the kernel is busy */
function findMissing({ path, problem }: FoundFolder, serve: () => void): MissingOnHost {
  serve();
  const unguardedPorts = path === undefined ? problem : probePortTable();
  serve();
  const unheldPorts = unguardedPorts ?? probeSettledPorts();
  serve();
  return {
    uncaptured: problem,
    unguardedPorts,
    unheldPorts,
    unbatched: whyNoBatches(),
    ipv6: hasFamily(6) ? undefined : "EAFNOSUPPORT, as with ipv6.disable=1",
  };
}
