// A Docker engine of the lab, as tests see it.
import { dirname } from "node:path";
import type { Image } from "../images/image.ts";
import { type LinkPlan, linkPlan } from "./addresses.ts";
import type { Box } from "./box.ts";
import { assertBridgeFilter, setBridgeFilter } from "./bridge-filter.ts";
import type { CommandOptions, CommandResult } from "./command.ts";
import { command } from "./command.ts";
import { copyDataRoot } from "./data-root.ts";
import { type DaemonConfig, type Dockerd, endDockerd, socketOf, startDockerd } from "./dockerd.ts";
import { type Host, type HostOptions, startStub } from "./host.ts";
import type { Internet } from "./internet.ts";
import { joinToInternet } from "./link.ts";
import type { Run } from "./run.ts";
import { openService } from "./service.ts";

/** What an engine is to be like; only the kind is required. */
export type EngineOptions = Pick<HostOptions, "kind"> &
  Partial<HostOptions> & {
    readonly liveRestore?: boolean;
    /** daemon.json `dns`. */
    readonly dns?: readonly string[];
    /** IPv6 on the default bridge, and ip6tables; without it, the generation's own defaults. */
    readonly ipv6?: boolean;
    /** Run it in docker.service's group of cgroup v2, as systemd does. */
    readonly systemd?: boolean;
    /** Anything else of daemon.json; wins over all of the above. */
    readonly daemon?: DaemonConfig;
  };

/** An engine of the lab. */
export type Engine = {
  readonly name: string;
  readonly kind: HostOptions["kind"];
  /** Path of the API's socket on the machine; inside the host it is /var/run/docker.sock. */
  readonly socket: string;
  /** Name of the host's network namespace, as `ip netns` knows it. */
  readonly netns: string;
  /** A process in the host: /proc/PID/root is its root, /proc/PID/ns/net its network. */
  readonly hostPid: number;
  /** The host's addresses on the wire, and the gateway's. */
  readonly link: LinkPlan;
  /** Current pid of dockerd; changes with a restart. */
  readonly dockerdPid: () => number;
  /** Path of dockerd's log on the machine. */
  readonly log: string;
  /** Runs the docker CLI in the host; paths in the repository and in /tmp are the same there. */
  readonly docker: (...args: string[]) => Promise<CommandResult>;
  /** The same with options: input, working folder, environment, timeout. */
  readonly dockerWith: (options: CommandOptions, ...args: string[]) => Promise<CommandResult>;
  /** `docker compose -f FILE ARGS…` in the file's folder. */
  readonly compose: (file: string, ...args: string[]) => Promise<CommandResult>;
  /** Runs a command in the host's root and network. */
  readonly exec: (...argv: string[]) => Promise<CommandResult>;
  readonly execWith: (options: CommandOptions, ...argv: string[]) => Promise<CommandResult>;
  /** The same as systemd runs the command of a unit. @throws Error when the engine was not to be run by `systemd` */
  readonly unit: (...argv: string[]) => Promise<CommandResult>;
  /** The argv that runs a command in the host, for tests that spawn by themselves. */
  readonly inside: Box["inside"];
  /** Starts a process in the host; its output goes to a log. It is ended with the run at the latest. */
  readonly background: Box["background"];
  /** Loads a `docker save` archive. */
  readonly load: (archive: string) => Promise<void>;
  /** Stops dockerd in order (containers too, unless live-restore). */
  readonly stop: () => Promise<void>;
  /** Kills dockerd as a crash would. Containers go on. */
  readonly kill: () => Promise<void>;
  /** Starts dockerd after `stop` or `kill`, with a daemon.json changed by `daemon`. */
  readonly start: (daemon?: DaemonConfig) => Promise<void>;
  readonly restart: (daemon?: DaemonConfig) => Promise<void>;
  /** @throws Error when the host is not any more what this run of the lab is for */
  readonly assertAsAsked: () => Promise<void>;
};

function daemonConfig(run: Run, options: EngineOptions, link: LinkPlan): DaemonConfig {
  const v6: DaemonConfig = {
    ipv6: true,
    ip6tables: true,
    // ip6tables was experimental before Engine 27.
    experimental: options.kind !== "e28",
    "fixed-cidr-v6": link.prefix6.replace("00::/40", "ff::/64"),
  };
  return {
    // The run's own cgroup: containers are found and ended with it.
    "cgroup-parent": `/${run.name}/${options.name ?? options.kind}`,
    "default-address-pools": [{ base: "198.19.0.0/16", size: 24 }],
    bip: "198.19.255.1/24",
    "log-level": "warn",
    ...(options.liveRestore === undefined ? {} : { "live-restore": options.liveRestore }),
    ...(options.dns === undefined ? {} : { dns: options.dns }),
    ...(options.ipv6 === true ? v6 : {}),
    ...options.daemon,
  };
}

/** @property index number of the engine's link, from 1 */
export type StartEngineOptions = {
  readonly options: EngineOptions;
  readonly index: number;
  readonly base: readonly Image[];
  readonly product?: Image | undefined;
};

/** Wires the host, gives it its data root, and starts the engine. */
export async function startEngine(
  run: Run,
  internet: Internet,
  host: Host,
  start: StartEngineOptions,
): Promise<Engine> {
  const { options, index, base, product } = start;
  const { box, dataFolder } = host;
  const link = linkPlan(index);
  await Promise.all([
    joinToInternet(internet.box, box, box.name, link),
    copyDataRoot(run, { engine: options.kind, base, extra: product }, dataFolder),
  ]);
  if (options.resolver === "stub") await startStub(box);
  let config = daemonConfig(run, options, link);
  const service = options.systemd === true ? openService(run, box.name) : undefined;
  let dockerd: Dockerd = await startDockerd(box, config, service);
  await setBridgeFilter(box);

  const execWith = (given: CommandOptions, ...argv: string[]): Promise<CommandResult> =>
    box.attempt(argv, given);
  const dockerWith = (given: CommandOptions, ...args: string[]): Promise<CommandResult> =>
    execWith(given, "docker", ...args);
  const startAgain = async (changes: DaemonConfig = {}): Promise<void> => {
    config = { ...config, ...changes };
    dockerd = await startDockerd(box, config, service);
    await setBridgeFilter(box);
  };
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    await assertBridgeFilter(box);
    await endDockerd(box, dockerd, signal);
    service?.ended();
  };
  const stop = (): Promise<void> => end("SIGTERM");
  return {
    name: box.name,
    kind: options.kind,
    socket: socketOf(box),
    netns: box.netns,
    hostPid: box.pid,
    link,
    dockerdPid: () => dockerd.pid,
    log: dockerd.log,
    docker: (...args) => dockerWith({}, ...args),
    dockerWith,
    compose: (file, ...args) => dockerWith({ cwd: dirname(file) }, "compose", "-f", file, ...args),
    exec: (...argv) => execWith({}, ...argv),
    execWith,
    unit: async (...argv) => {
      if (service === undefined) throw new Error(`lab: no systemd runs the engine of ${box.name}`);
      return await execWith({}, ...service.unit(argv));
    },
    inside: box.inside,
    background: box.background,
    load: async (archive) => {
      await command(box.inside(["docker", "load", "-q"]), { inputFile: archive });
    },
    stop,
    kill: () => end("SIGKILL"),
    start: startAgain,
    restart: async (changes) => {
      await stop();
      await startAgain(changes);
    },
    assertAsAsked: async () => await assertBridgeFilter(box),
  };
}
