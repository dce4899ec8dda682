// The daemon's settings, in one table.

import type { Upstream } from "../../../core/model/upstream.ts";
import { defaultControlSocket } from "../../control-socket/path.ts";
import { defaultDockerSocket } from "../../engine/dockerd.ts";
import {
  absolutePath,
  dockerSocketPath,
  duration,
  oneOf,
  parseUpstreams,
  queueNumber,
  socketPath,
  wholeNumber,
} from "./values.ts";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Settings of the daemon, fixed for its life. */
export interface Config {
  /** Undefined: the resolvers of the host's resolv.conf. */
  readonly upstreams: readonly Upstream[] | undefined;
  /** How long a row of `stats` outlives its last lookup. */
  readonly statsTtlSeconds: number;
  /** The least TTL that a grant counts with. */
  readonly leaseFloorSeconds: number;
  /** How much longer a grant lives than the TTL in the client's answer. */
  readonly leaseGraceSeconds: number;
  /** Port of the DNS listener on the host that layer 1 redirects to; `auto`: the usual one, or another while it is taken. */
  readonly dnsPort: number | "auto";
  readonly logLevel: LogLevel;
  readonly controlSocket: string;
  readonly dockerSocket: string;
  readonly backend: "auto" | "nft" | "legacy";
  /** True: a bridge that is not classified yet passes nothing. */
  readonly hold: boolean;
  /** NFQUEUE number of first packets; the engine's questions, and what comes from unsettled ports, have the next two. */
  readonly queueNumber: number;
  /** `auto` (found by way of the engine's process), `off` (no layer 2), or the absolute path of the engine's netns folder. */
  readonly sandboxFolder: string;
  readonly policyFile: PolicyFilePlace;
}

/** Where the user's own presets and entries are. */
export interface PolicyFilePlace {
  readonly path: string;
  /** The flag or the variable that names the path; undefined at the usual one, where there need not be a file. */
  readonly chosenBy: string | undefined;
}

/** One row of the table: where a setting comes from, its valid values, and its default. */
export interface Setting<Value> {
  readonly env: string;
  /** Name of the flag of `daemon`, without the dashes. */
  readonly flag: string;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly help: string;
  /** As a user would write it; undefined when there is none. */
  readonly fallback: string | undefined;
  /**
   * @param chosenBy the flag or the variable that the text is from; undefined for the fallback
   * @throws Error whose message completes "SETTING is VALUE, but ".
   */
  readonly parse: (text: string, chosenBy: string | undefined) => Value;
}

export const settings: { readonly [Key in keyof Config]: Setting<Config[Key]> } = {
  upstreams: {
    env: "DOCKERWALL_UPSTREAM",
    flag: "upstream",
    placeholder: "[tls://|https://]ADDRESS[:PORT][/PATH][#NAME],…",
    help: "resolvers to ask, instead of those of the host's resolv.conf",
    fallback: undefined,
    parse: parseUpstreams,
  },
  statsTtlSeconds: {
    env: "DOCKERWALL_STATS_TTL",
    flag: "stats-ttl",
    placeholder: "DURATION",
    help: "how long `stats` remembers a lookup",
    fallback: "24h",
    parse: duration(60, 366 * 86_400),
  },
  leaseFloorSeconds: {
    env: "DOCKERWALL_LEASE_FLOOR",
    flag: "lease-floor",
    placeholder: "DURATION",
    help: "least TTL to count for the life of a granted address; the grace comes on top",
    fallback: "60s",
    parse: duration(1, 86_400),
  },
  leaseGraceSeconds: {
    env: "DOCKERWALL_LEASE_GRACE",
    flag: "lease-grace",
    placeholder: "DURATION",
    help: "how long a granted address outlives its answer's TTL; at least half of it, as lookups of a live grant renew it only then",
    fallback: "300s",
    // Without any, a client is still told an address when its grant ends.
    parse: duration(1, 86_400),
  },
  dnsPort: {
    env: "DOCKERWALL_DNS_PORT",
    flag: "dns-port",
    placeholder: "auto|PORT",
    help: "port of the DNS listener on the host; only redirected lookups reach it. auto: 5053, or another while that is taken",
    fallback: "auto",
    parse: (text) => (text === "auto" ? text : wholeNumber(1, 65_535)(text)),
  },
  logLevel: {
    env: "DOCKERWALL_LOG_LEVEL",
    flag: "log-level",
    placeholder: logLevels.join("|"),
    help: "lowest severity to log; debug is info, and the stack of the error that ends the daemon",
    fallback: "info",
    parse: oneOf(logLevels),
  },
  controlSocket: {
    env: "DOCKERWALL_CONTROL_SOCKET",
    flag: "control-socket",
    placeholder: "PATH",
    help: "unix socket that the other commands talk to",
    fallback: defaultControlSocket,
    parse: socketPath,
  },
  dockerSocket: {
    env: "DOCKERWALL_DOCKER_SOCKET",
    flag: "docker-socket",
    placeholder: "PATH",
    help: "unix socket of the Docker engine (DOCKER_HOST=unix://PATH works too)",
    fallback: defaultDockerSocket,
    parse: dockerSocketPath,
  },
  backend: {
    env: "DOCKERWALL_BACKEND",
    flag: "backend",
    placeholder: "auto|nft|legacy",
    help: "iptables variant",
    fallback: "auto",
    parse: oneOf(["auto", "nft", "legacy"]),
  },
  hold: {
    env: "DOCKERWALL_HOLD",
    flag: "hold",
    placeholder: "on|off",
    help: "keep new bridges closed until it is known whether they are guarded",
    fallback: "on",
    parse: (text) => oneOf(["off", "on"])(text) === "on",
  },
  queueNumber: {
    env: "DOCKERWALL_QUEUE",
    flag: "queue",
    placeholder: "NUMBER",
    help: "NFQUEUE number; Dockerwall uses the next two as well",
    fallback: "5353",
    parse: queueNumber,
  },
  sandboxFolder: {
    env: "DOCKERWALL_SANDBOX_FOLDER",
    flag: "sandbox-folder",
    placeholder: "auto|off|PATH",
    help: "the engine's folder of network namespaces, needed to capture its resolver",
    fallback: "auto",
    parse: (text) => (text === "auto" || text === "off" ? text : absolutePath(text)),
  },
  policyFile: {
    env: "DOCKERWALL_POLICY_FILE",
    flag: "policy-file",
    placeholder: "PATH",
    help: "file with your own presets and entries (docs/policy.md); read again when it changes. One that you name must be there",
    fallback: "/etc/dockerwall/policy.yml",
    parse: (text, chosenBy) => ({ path: absolutePath(text), chosenBy }),
  },
};
